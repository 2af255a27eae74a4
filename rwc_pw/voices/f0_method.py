"""The pitch detectors of RVC voices."""

from rwc_pw.errors import UsageError
from rwc_pw.voices.rvc_voice import BATCH, STREAMING

AUTO = "auto"
SWIFTF0, FCPE, RMVPE = "swiftf0", "fcpe", "rmvpe"
DETECTORS = {BATCH: (RMVPE, FCPE), STREAMING: (FCPE, SWIFTF0, RMVPE)}
"""The pitch detectors of each backend, its default first."""
NETWORK_DETECTORS = FCPE, RMVPE
"""Those with weights in the models folder, which can run on a GPU; SwiftF0 is made for CPUs."""
F0_METHODS = (AUTO, *DETECTORS[STREAMING])


def detector_of(backend: str, f0_method: str) -> str:
    """The detector that ``f0_method`` means; ``UsageError`` if the backend does not have it."""
    known = DETECTORS[backend]
    if f0_method == AUTO:
        return known[0]
    if f0_method not in known:
        raise UsageError(
            f"The backend {backend} does not find the pitch with {f0_method!r}.",
            f"Choose one of {', '.join((AUTO, *known))}.",
        )
    return f0_method

"""Which pitch detector is meant where an RVC voice speaks."""

from rwc_pw.errors import UsageError
from rwc_pw.voices.rvc_voice import BATCH, STREAMING

AUTO = "auto"
SWIFTF0, FCPE, RMVPE = "swiftf0", "fcpe", "rmvpe"
DETECTORS = {BATCH: (RMVPE, FCPE), STREAMING: (FCPE, SWIFTF0, RMVPE)}
"""What each backend can find the pitch with; the first is its own choice."""
NETWORK_DETECTORS = FCPE, RMVPE
"""Those whose weights are files of the models folder, and which a graphics card computes; SwiftF0 is made for CPUs."""
F0_METHODS = (AUTO, *DETECTORS[STREAMING])


def detector_of(backend: str, f0_method: str) -> str:
    """The one that ``f0_method`` means; ``UsageError`` where the backend has none such."""
    known = DETECTORS[backend]
    if f0_method == AUTO:
        return known[0]
    if f0_method not in known:
        raise UsageError(
            f"The backend {backend} does not find the pitch with {f0_method!r}.",
            f"Choose one of {', '.join((AUTO, *known))}.",
        )
    return f0_method

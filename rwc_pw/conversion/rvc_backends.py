"""The converters for RVC voices: a row for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rwc_pw.errors import UsageError
from rwc_pw.rvc.detectors import AUTO, DETECTORS, FCPE, RMVPE, PitchDetector
from rwc_pw.voices import options

if TYPE_CHECKING:
    from rwc_pw.conversion.backend import ConversionBackend
    from rwc_pw.conversion.config import ConversionConfig


def _batch(config: "ConversionConfig") -> "ConversionBackend":
    from rwc_pw.conversion.rvc_batch import BatchConverter

    return BatchConverter(config)


def _streaming(config: "ConversionConfig") -> "ConversionBackend":
    from rwc_pw.conversion.rvc_streaming import StreamingConverter

    return StreamingConverter(config)


@dataclass(frozen=True)
class RvcBackend:
    """A converter for RVC voices, and everything about it that others must know."""

    name: str
    create: Callable[["ConversionConfig"], "ConversionBackend"]
    """Makes it, not yet initialised; the import of its class may take a second."""
    detectors: tuple[PitchDetector, ...]
    """The pitch detectors it can use."""
    usual_detector: PitchDetector
    """The one among them that it uses unless another is chosen."""
    chunk_step: int = 1
    """Chunks have a multiple of so many samples."""
    first_chunk: int = int(options.CHUNK_SAMPLES.default)
    """The chunk size in samples where the user has set none."""
    adapts_chunk: bool = False
    """True if the chunk size then follows the machine's load."""
    uses_gpu: bool = False
    """True if it computes on a GPU of the process that it runs in."""

    def detector(self, f0_method: str) -> PitchDetector:
        """The pitch detector that ``f0_method`` means; ``UsageError`` if this backend does not have it."""
        if not self.has(f0_method):
            raise UsageError(
                f"The backend {self.name} does not find the pitch with {f0_method!r}.",
                f"Choose one of {', '.join(self._known)}.",
            )
        return self._known[f0_method]

    def has(self, f0_method: str) -> bool:
        """Return whether it can find the pitch in that way."""
        return f0_method in self._known

    @property
    def _known(self) -> dict[str, PitchDetector]:
        """The detector that each f0_method means."""
        return {AUTO: self.usual_detector, **{detector.name: detector for detector in self.detectors}}


BATCH = RvcBackend(
    "batch",
    _batch,
    detectors=tuple(detector for detector in DETECTORS if detector.in_ultimate_rvc),
    usual_detector=RMVPE,
)
STREAMING = RvcBackend(
    "streaming",
    _streaming,
    detectors=DETECTORS,
    usual_detector=FCPE,
    chunk_step=960,  # blocks of 20 ms
    first_chunk=4800,
    adapts_chunk=True,
    uses_gpu=True,
)
RVC_BACKENDS = {backend.name: backend for backend in (BATCH, STREAMING)}

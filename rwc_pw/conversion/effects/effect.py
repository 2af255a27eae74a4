"""The contract of an effect: a stage before or after the converter."""

from abc import ABC, abstractmethod

from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.config import ConversionConfig


class Effect(ABC):
    """Carries its state from chunk to chunk; one thread drives it, but ``adjust`` may be called from any."""

    @property
    def latency_samples(self) -> int:
        """Delay of the output behind the input."""
        return 0

    @abstractmethod
    def reset(self) -> None:
        """Forget the sound still inside."""

    @abstractmethod
    def process(self, chunk: Samples) -> Samples:
        """Process the next samples, (n,) to (n,)."""

    def flush(self, chunk: Samples) -> Samples:
        """Process the last samples and what is still inside: (n,) to (n,) or more."""
        return self.process(chunk)

    def observe(self, source: Samples) -> None:  # noqa: B027 - few need it
        """Take the converter's input, (n,), before the output that it makes of it is processed."""

    def adjust(self, config: ConversionConfig) -> None:  # noqa: B027 - some have no settings
        """Take what ``config`` has for this effect from the next chunk on."""

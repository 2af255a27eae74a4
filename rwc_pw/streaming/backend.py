"""What turns one voice into another: the contract of every converter."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rwc_pw.streaming.conversion_config import ConversionConfig

SAMPLE_RATE_HZ = 48_000
FADE_SAMPLES = SAMPLE_RATE_HZ // 100  # from one converter to the next

Samples = NDArray[np.float32]
"""Mono sound: shape (n,), float32, full scale ±1, at ``SAMPLE_RATE_HZ``."""


def milliseconds(samples: float) -> float:
    """How long so many samples last."""
    return samples * 1000 / SAMPLE_RATE_HZ


class ConversionBackend(ABC):
    """A converter that carries its state from chunk to chunk.

    It is driven by one thread. ``convert_chunk`` may raise ``ConversionError``; whatever it raises,
    the pipeline answers with silence, never with the input.
    """

    @property
    def latency_samples(self) -> int:
        """How many samples the output lies behind the input, by the algorithm alone."""
        return 0

    @abstractmethod
    def initialize(self) -> None:
        """Make ready from nothing, or again after an error: all carried state is forgotten."""

    @abstractmethod
    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        """Convert the next samples, (n,) to (n,).

        ``context``, when given, replaces all that is carried: it holds the samples right before
        ``audio_chunk`` (none at the start of a stream), so that a converter can take over from
        another in the middle of a word.
        """

    def fade_out(self, audio_chunk: Samples) -> Samples:
        """The beginning of what ``audio_chunk`` would become, (n,), for its successor to be faded in over.

        Called once, instead of ``convert_chunk``, before ``cleanup``. A converter that has more of it at hand than
        ``FADE_SAMPLES`` may return that, and one that has none of it nothing.
        """
        return self.convert_chunk(audio_chunk)[:FADE_SAMPLES]

    def adjust(self, config: "ConversionConfig") -> bool:
        """Convert as ``config`` tells from now on, also from another thread; False where that takes a new converter."""
        return False

    @abstractmethod
    def cleanup(self) -> None:
        """Give back what ``initialize`` took.

        It is called from another thread where ``convert_chunk`` does not return in time, and should end it.
        """


class IdentityBackend(ConversionBackend):
    """Returns what it is given: the real voice, for ``bypass`` and for measuring the transport."""

    def initialize(self) -> None:
        pass

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        return audio_chunk

    def cleanup(self) -> None:
        pass


class SilentBackend(ConversionBackend):
    """Returns silence: what is heard until a voice is loaded."""

    def initialize(self) -> None:
        pass

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        return np.zeros_like(audio_chunk)

    def cleanup(self) -> None:
        pass

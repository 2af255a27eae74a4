"""The interface that every converter implements."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rwc_pw.streaming.conversion_config import ConversionConfig

SAMPLE_RATE_HZ = 48_000
FADE_SAMPLES = SAMPLE_RATE_HZ // 100  # crossfade between converters

Samples = NDArray[np.float32]
"""Mono sound: shape (n,), float32, full scale ±1, at ``SAMPLE_RATE_HZ``."""


def milliseconds(samples: float) -> float:
    """The duration of ``samples`` samples."""
    return samples * 1000 / SAMPLE_RATE_HZ


def amplitude(db: float) -> float:
    """Decibels as an amplitude factor."""
    return float(10.0 ** (db / 20.0))


class ConversionBackend(ABC):
    """A converter that carries its state from chunk to chunk.

    One thread drives it. ``convert_chunk`` may raise ``ConversionError``; whatever it raises, the pipeline
    outputs silence, never the input.
    """

    @property
    def latency_samples(self) -> int:
        """The algorithm's delay: how many samples the output lies behind the input."""
        return 0

    @abstractmethod
    def initialize(self) -> None:
        """Make ready, the first time or again after an error; all carried state is discarded."""

    @abstractmethod
    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        """Convert the next samples, (n,) to (n,).

        ``context``, if given, replaces all carried state: it holds the samples right before ``audio_chunk``
        (none at the start of a stream), so that a converter can take over from another in the middle of a
        word.
        """

    def fade_out(self, audio_chunk: Samples) -> Samples:
        """The beginning of the converted ``audio_chunk``, (n,), from which to crossfade to the successor.

        Called once, instead of ``convert_chunk``, before ``cleanup``. A converter that has more than
        ``FADE_SAMPLES`` ready may return it all, and one that has nothing ready returns nothing.
        """
        return self.convert_chunk(audio_chunk)[:FADE_SAMPLES]

    def adjust(self, config: "ConversionConfig") -> bool:
        """Convert by ``config`` from now on; False if that takes a new converter. May be called from another thread."""
        return False

    @abstractmethod
    def cleanup(self) -> None:
        """Release what ``initialize`` acquired.

        Called from another thread if ``convert_chunk`` does not return in time, which it should then end.
        """


class IdentityBackend(ConversionBackend):
    """Returns its input, the real voice: for ``bypass`` and for measuring the transport."""

    def initialize(self) -> None:
        pass

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        return audio_chunk

    def cleanup(self) -> None:
        pass


class SilentBackend(ConversionBackend):
    """Returns silence, until a voice is loaded."""

    def initialize(self) -> None:
        pass

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        return np.zeros_like(audio_chunk)

    def cleanup(self) -> None:
        pass

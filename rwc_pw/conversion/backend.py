"""The interface that every converter implements."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from rwc_pw.audio.crossfade import FADE_SAMPLES
from rwc_pw.audio.samples import Samples

if TYPE_CHECKING:
    from rwc_pw.conversion.config import ConversionConfig


class ConversionBackend(ABC):
    """A converter that carries its state from chunk to chunk.

    One thread drives it. ``convert_chunk`` may raise ``ConversionError``; whatever it raises, the pipeline
    outputs silence, never the input.
    """

    @property
    def latency_samples(self) -> int:
        """The algorithm's delay: how many samples the output lies behind the input."""
        return 0

    @property
    def kind(self) -> object:
        """A value that equals another converter's if both take the same time per chunk and have the same delay."""
        return self

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

"""Shifts the formants of a converter's output."""

import numpy as np

from rwc_pw.audio.crossfade import FADE_SAMPLES, crossfade
from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.effect import Effect
from rwc_pw.conversion.vocoder.backend import FRAME_SAMPLES, VocoderBackend
from rwc_pw.voices.builtin import BuiltinVoice


class FormantShifter(Effect):
    """At 0 semitones the sound passes unchanged and undelayed."""

    def __init__(self, semitones: float) -> None:
        self.semitones = semitones
        """May be set from another thread; takes effect with the next chunk."""
        self.reset()

    @property
    def latency_samples(self) -> int:
        return self._vocoder.latency_samples if self._vocoder else 0

    def reset(self) -> None:
        """Forget the sound still inside."""
        self._before = np.zeros(FRAME_SAMPLES, np.float32)
        self._vocoder = self._new_vocoder()

    def process(self, chunk: Samples) -> Samples:
        """The next samples, (n,) to (n,)."""
        vocoder = self._vocoder
        output = vocoder.convert_chunk(chunk) if vocoder else chunk
        if self.semitones != self._current_semitones:
            self._vocoder = self._new_vocoder()
            after = self._vocoder.convert_chunk(chunk, self._before) if self._vocoder else chunk
            output = crossfade(output[:FADE_SAMPLES], after)
        self._before = np.concatenate([self._before, chunk])[-FRAME_SAMPLES:]
        return output

    def adjust(self, config: ConversionConfig) -> None:
        self.semitones = config.formant_of_rvc

    def flush(self, chunk: Samples) -> Samples:
        """Process the last samples and flush what is still inside: (n,) to (n + ``latency_samples``,)."""
        return self.process(np.concatenate([chunk, np.zeros(self.latency_samples, np.float32)]))

    def _new_vocoder(self) -> VocoderBackend | None:
        self._current_semitones = self.semitones
        return VocoderBackend(BuiltinVoice("", "", 0.0, self._current_semitones)) if self._current_semitones else None

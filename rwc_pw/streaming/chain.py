"""The whole way of the voice through the converter: gate, conversion, loudness, formants, gain, limiter."""

import numpy as np

from rwc_pw.errors import ConversionError
from rwc_pw.streaming.backend import ConversionBackend, Samples
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.streaming.formant import FormantShifter
from rwc_pw.streaming.gate import NoiseGate
from rwc_pw.streaming.limiter import Limiter
from rwc_pw.streaming.loudness import LoudnessMix

GATE_HYSTERESIS_DB = 6.0
LOUDEST = 1e3  # +60 dBFS; beyond it, and for what is not a number, a sample is an error
GAIN_RAMP_SAMPLES = 480  # 10 ms: from one gain to another


class VoiceChain(ConversionBackend):
    """``gate`` → ``converter`` → ``loudness`` → ``formant`` → ``gain_db`` → ``limiter``, as one converter."""

    def __init__(
        self,
        converter: ConversionBackend,
        gate: NoiseGate,
        loudness: LoudnessMix,
        formant: FormantShifter,
        limiter: Limiter,
        gain_db: float = 0.0,
    ) -> None:
        self.converter = converter
        self._gate = gate
        self._loudness = loudness
        self._formant = formant
        self._limiter = limiter
        self._gain = self._wanted_gain = _factor(gain_db)

    @property
    def latency_samples(self) -> int:
        """The delays of all of them."""
        return self.converter.latency_samples + self._formant.latency_samples + self._limiter.latency_samples

    def initialize(self) -> None:
        self.converter.initialize()
        self._reset()

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        _check(audio_chunk)
        if context is not None:
            _check(context)
            self._reset()
            context = self._gate.process(context)
        heard = self._gate.process(audio_chunk)
        said = self._loudness.process(heard, self.converter.convert_chunk(heard, context))
        return self._finished(self._formant.process(said))

    def fade_out(self, audio_chunk: Samples) -> Samples:
        heard = self._gate.process(audio_chunk)
        said = self.converter.fade_out(heard)
        said = self._formant.fade_out(self._loudness.process(heard[: len(said)], said))
        return self._finished(said[: len(audio_chunk)])

    def adjust(self, config: ConversionConfig) -> bool:
        if not self.converter.adjust(config):
            return False
        self._gate.set_levels(config.gate_db, config.gate_db - GATE_HYSTERESIS_DB)
        self._loudness.rate = config.rms_mix_rate
        self._formant.semitones = config.formant_of_rvc
        self._wanted_gain = _factor(config.gain_db)
        return True

    def cleanup(self) -> None:
        self.converter.cleanup()

    def _reset(self) -> None:
        for stage in (self._gate, self._loudness, self._formant, self._limiter):
            stage.reset()

    def _finished(self, said: Samples) -> Samples:
        return self._limiter.process(self._amplified(said))

    def _amplified(self, sound: Samples) -> Samples:
        before, self._gain = self._gain, self._wanted_gain
        if before == self._gain:
            return sound * self._gain
        ramp = np.linspace(before, self._gain, min(GAIN_RAMP_SAMPLES, len(sound)), endpoint=False, dtype=np.float32)
        gains: Samples = np.full(len(sound), self._gain)
        gains[: len(ramp)] = ramp
        return sound * gains


def _check(heard: Samples) -> None:
    if not np.abs(heard).max(initial=0.0) < LOUDEST:
        raise ConversionError("The sound from the microphone holds values that no sound has.")


def _factor(gain_db: float) -> np.float32:
    return np.float32(10.0 ** (gain_db / 20.0))

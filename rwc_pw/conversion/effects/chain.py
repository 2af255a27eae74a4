"""The whole signal chain: gate, conversion, loudness, formants, gain, limiter."""

import numpy as np

from rwc_pw.audio.samples import Samples, amplitude
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.formant import FormantShifter
from rwc_pw.conversion.effects.gate import NoiseGate
from rwc_pw.conversion.effects.limiter import Limiter
from rwc_pw.conversion.effects.loudness import LoudnessMix

GATE_HYSTERESIS_DB = 6.0
GAIN_RAMP_SAMPLES = 480  # 10 ms, from one gain to the next


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
        self._gain = self._wanted_gain = np.float32(amplitude(gain_db))

    @property
    def latency_samples(self) -> int:
        """The sum of the stages' delays."""
        return self.converter.latency_samples + self._formant.latency_samples + self._limiter.latency_samples

    def initialize(self) -> None:
        self.converter.initialize()
        self._reset()

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        if context is not None:
            self._reset()
            context = self._gate.process(context)
        gated = self._gate.process(audio_chunk)
        output = self._loudness.process(gated, self.converter.convert_chunk(gated, context))
        return self._finished(self._formant.process(output))

    def fade_out(self, audio_chunk: Samples) -> Samples:
        gated = self._gate.process(audio_chunk)
        output = self.converter.fade_out(gated)
        output = self._formant.fade_out(self._loudness.process(gated[: len(output)], output))
        return self._finished(output[: len(audio_chunk)])

    def adjust(self, config: ConversionConfig) -> bool:
        if not self.converter.adjust(config):
            return False
        self._gate.set_levels(config.gate_db, config.gate_db - GATE_HYSTERESIS_DB)
        self._loudness.rate = config.rms_mix_rate
        self._formant.semitones = config.formant_of_rvc
        self._wanted_gain = np.float32(amplitude(config.gain_db))
        return True

    def cleanup(self) -> None:
        self.converter.cleanup()

    def _reset(self) -> None:
        for stage in (self._gate, self._loudness, self._formant, self._limiter):
            stage.reset()

    def _finished(self, output: Samples) -> Samples:
        return self._limiter.process(self._amplified(output))

    def _amplified(self, sound: Samples) -> Samples:
        before, self._gain = self._gain, self._wanted_gain
        if before == self._gain:
            return sound * self._gain
        ramp = np.linspace(before, self._gain, min(GAIN_RAMP_SAMPLES, len(sound)), endpoint=False, dtype=np.float32)
        gains: Samples = np.full(len(sound), self._gain)
        gains[: len(ramp)] = ramp
        return sound * gains

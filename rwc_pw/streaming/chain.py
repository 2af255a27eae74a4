"""The whole way of the voice through the converter: gate, conversion, gain, limiter."""

import numpy as np
from numpy.typing import NDArray

from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, ConversionBackend, Samples
from rwc_pw.streaming.gate import NoiseGate
from rwc_pw.streaming.limiter import Limiter

GAIN_RAMP_SAMPLES = SAMPLE_RATE_HZ // 50


class VoiceChain(ConversionBackend):
    """``gate`` → ``converter`` → ``gain_db`` → ``limiter``, as one converter.

    A new gain is reached in a straight line of ``GAIN_RAMP_SAMPLES``.
    """

    def __init__(self, converter: ConversionBackend, gate: NoiseGate, limiter: Limiter, gain_db: float = 0.0) -> None:
        self.converter = converter
        self._gate = gate
        self._limiter = limiter
        self._from_gain = self._to_gain = _gain(gain_db)
        self._ramped_samples = GAIN_RAMP_SAMPLES
        self._gain_db = gain_db

    @property
    def latency_samples(self) -> int:
        """The converter's delay and the limiter's."""
        return self.converter.latency_samples + self._limiter.latency_samples

    @property
    def gain_db(self) -> float:
        """The gain after the conversion; it may be set between chunks."""
        return self._gain_db

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._from_gain = float(self._gain_after(self._ramped_samples))
        self._to_gain = _gain(gain_db)
        self._ramped_samples = 0
        self._gain_db = gain_db

    def initialize(self) -> None:
        self.converter.initialize()
        self._gate.reset()
        self._limiter.reset()

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        if context is not None:
            self._gate.reset()
            self._limiter.reset()
            context = self._gate.process(context)
        converted = self.converter.convert_chunk(self._gate.process(audio_chunk), context)
        return self._limiter.process(self._amplify(converted))

    def cleanup(self) -> None:
        self.converter.cleanup()

    def _amplify(self, sound: Samples) -> Samples:
        if self._ramped_samples >= GAIN_RAMP_SAMPLES:
            return sound * np.float32(self._to_gain)
        gains = self._gain_after(self._ramped_samples + np.arange(1, len(sound) + 1))
        self._ramped_samples += len(sound)
        return sound * gains.astype(np.float32)

    def _gain_after(self, ramped_samples: NDArray[np.intp] | int) -> NDArray[np.float64]:
        ramp = (0, GAIN_RAMP_SAMPLES), (self._from_gain, self._to_gain)
        gains: NDArray[np.float64] = np.interp(np.asarray(ramped_samples), *ramp)
        return gains


def _gain(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))

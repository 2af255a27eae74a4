"""A gain that the user sets."""

import numpy as np

from rwc_pw.audio.samples import Samples, amplitude
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.effect import Effect

RAMP_SAMPLES = 480  # 10 ms, from one gain to the next


class Gain(Effect):
    """Multiplies the sound; another gain is reached in a straight line."""

    def __init__(self, db: float = 0.0) -> None:
        self._gain = self._wanted = np.float32(amplitude(db))

    def reset(self) -> None:
        """Do nothing: it holds no sound."""

    def process(self, chunk: Samples) -> Samples:
        before, self._gain = self._gain, self._wanted
        if before == self._gain:
            return chunk * self._gain
        ramp = np.linspace(before, self._gain, min(RAMP_SAMPLES, len(chunk)), endpoint=False, dtype=np.float32)
        gains: Samples = np.full(len(chunk), self._gain)
        gains[: len(ramp)] = ramp
        return chunk * gains

    def adjust(self, config: ConversionConfig) -> None:
        self._wanted = np.float32(amplitude(config.gain_db))

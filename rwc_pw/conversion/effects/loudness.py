"""Moves the output's loudness towards that of the input."""

import numpy as np
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.effect import Effect

WINDOW_SAMPLES = SAMPLE_RATE_HZ // 25
LEAST_RMS = 1e-3  # output quieter than this is not amplified further
OWN_LOUDNESS = 1.0


class LoudnessMix(Effect):
    """RVC-Project's ``rms_mix_rate``: 1 keeps the voice's own loudness, 0 gives it the speaker's.

    The gain is the ratio of the two RMS values, each over the last 40 ms, to the power of 1 - ``rate``.
    """

    def __init__(self, rate: float, delay_samples: int) -> None:
        """``delay_samples`` is the delay of the converter, behind whose input the output lies."""
        self.rate = rate
        self._delay_samples = delay_samples
        self.reset()

    def reset(self) -> None:
        """Forget the past input and output."""
        self._source = np.zeros(self._delay_samples + WINDOW_SAMPLES, np.float32)
        self._past = np.zeros(WINDOW_SAMPLES, np.float32)
        self._rate = self.rate

    def adjust(self, config: ConversionConfig) -> None:
        self.rate = config.rms_mix_rate

    def observe(self, source: Samples) -> None:
        kept = self._delay_samples + WINDOW_SAMPLES
        self._source = np.concatenate([self._source[-kept:], source])

    def process(self, chunk: Samples) -> Samples:
        """``chunk`` with its new loudness; its source has been observed."""
        before, self._rate = self._rate, self.rate
        recent = np.concatenate([self._past, chunk])
        self._past = recent[-WINDOW_SAMPLES:]
        if before == self._rate == OWN_LOUDNESS or not chunk.any():
            return chunk
        ratio = _rms(self._source[: len(recent)]) / np.maximum(_rms(recent), LEAST_RMS)
        rates = np.linspace(before, self._rate, len(chunk), dtype=np.float32)
        loud: Samples = (chunk * ratio ** (1 - rates)).astype(np.float32)
        return loud


def _rms(sound: Samples) -> NDArray[np.float64]:
    """The RMS of the last ``WINDOW_SAMPLES`` at each sample after the first ``WINDOW_SAMPLES``."""
    energy = np.cumsum(np.square(sound, dtype=np.float64))
    mean: NDArray[np.float64] = np.maximum(energy[WINDOW_SAMPLES:] - energy[:-WINDOW_SAMPLES], 0) / WINDOW_SAMPLES
    rms: NDArray[np.float64] = np.sqrt(mean)
    return rms

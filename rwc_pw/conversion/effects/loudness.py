"""Moves the output's loudness towards that of the input."""

import numpy as np
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples

WINDOW_SAMPLES = SAMPLE_RATE_HZ // 25
LEAST_RMS = 1e-3  # output quieter than this is not amplified further
OWN_LOUDNESS = 1.0


class LoudnessMix:
    """RVC-Project's ``rms_mix_rate``: 1 keeps the voice's own loudness, 0 gives it the speaker's.

    The gain is the ratio of the two RMS values, each over the last 40 ms, to the power of 1 - ``rate``.
    """

    def __init__(self, rate: float, delay_samples: int) -> None:
        """``output`` lies ``delay_samples`` behind ``source``."""
        self.rate = rate
        """May be set from another thread; takes effect with the next chunk."""
        self._delay_samples = delay_samples
        self.reset()

    def reset(self) -> None:
        """Forget the past input and output."""
        self._input = np.zeros(self._delay_samples + WINDOW_SAMPLES, np.float32)
        self._output = np.zeros(WINDOW_SAMPLES, np.float32)
        self._rate = self.rate

    def process(self, source: Samples, output: Samples) -> Samples:
        """``output`` with its new loudness; all (n,)."""
        before, self._rate = self._rate, self.rate
        all_input, all_output = np.concatenate([self._input, source]), np.concatenate([self._output, output])
        self._input, self._output = all_input[-len(self._input) :], all_output[-WINDOW_SAMPLES:]
        if before == self._rate == OWN_LOUDNESS or not output.any():
            return output
        input_meanwhile = all_input[: WINDOW_SAMPLES + len(output)]
        ratio = _rms(input_meanwhile) / np.maximum(_rms(all_output), LEAST_RMS)
        rates = np.linspace(before, self._rate, len(output), dtype=np.float32)
        loud: Samples = (output * ratio ** (1 - rates)).astype(np.float32)
        return loud


def _rms(sound: Samples) -> NDArray[np.float64]:
    """The RMS of the last ``WINDOW_SAMPLES`` at each sample after the first ``WINDOW_SAMPLES``."""
    energy = np.cumsum(np.square(sound, dtype=np.float64))
    mean: NDArray[np.float64] = np.maximum(energy[WINDOW_SAMPLES:] - energy[:-WINDOW_SAMPLES], 0) / WINDOW_SAMPLES
    rms: NDArray[np.float64] = np.sqrt(mean)
    return rms

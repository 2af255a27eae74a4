"""Resamples the blocks of a live voice, on their way in and on their way out."""

from typing import Any

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.rvc.plan import CONTENT_RATE_HZ
from rwc_pw.system.extra import load_module

MARGINS_PER_S = 400  # 1/400 s before an input block, and after an output block, is resampled with it and cut off again


class BlockResampler:
    """Resamples 48 kHz to ContentVec's 16 kHz, and a voice's own rate to 48 kHz, block after block without a seam."""

    def __init__(self, rate_hz: int) -> None:
        """``rate_hz`` is the voice's; ``reset`` must follow."""
        self.delay_samples = 0 if rate_hz == SAMPLE_RATE_HZ else SAMPLE_RATE_HZ // MARGINS_PER_S
        """Samples at 48 kHz by which the output is late: continuous resampling needs the sound that follows."""
        self._rate_hz = rate_hz
        self._soxr: Any
        self._past_input: Samples
        self._past_output: Samples

    def reset(self, before: Samples) -> Samples:
        """Start again after ``before``, (n,) at 48 kHz, and return it at 16 kHz; ``UnavailableError`` without soxr."""
        self._soxr = load_module("soxr")
        margins = 2 * SAMPLE_RATE_HZ // MARGINS_PER_S
        self._past_input = np.concatenate([np.zeros(margins, np.float32), before])[-margins:]
        self._past_output = np.zeros(2 * self._rate_hz // MARGINS_PER_S, np.float32)
        return np.asarray(self._soxr.resample(before, SAMPLE_RATE_HZ, CONTENT_RATE_HZ), np.float32)

    def take_in(self, block: Samples) -> Samples:
        """Return the block, (n,) at 48 kHz, at 16 kHz, with 1/400 s before it.

        The previous block's end was resampled as if silence followed, so it is given again.
        """
        recent = np.concatenate([self._past_input, block])
        self._past_input = recent[-len(self._past_input) :]
        resampled: Samples = self._soxr.resample(recent, SAMPLE_RATE_HZ, CONTENT_RATE_HZ)
        return resampled[CONTENT_RATE_HZ // MARGINS_PER_S :]

    def give_out(self, block: Samples) -> Samples:
        """Return the block, (n,) at the voice's rate, at 48 kHz, ``delay_samples`` late."""
        if not self.delay_samples:
            return block
        joined = np.concatenate([self._past_output, block])
        self._past_output = joined[-len(self._past_output) :]
        resampled: Samples = self._soxr.resample(joined, self._rate_hz, SAMPLE_RATE_HZ)
        return resampled[self.delay_samples : -self.delay_samples]

"""A look-ahead limiter: no sample above the ceiling, no hard edge below it."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, Samples

Gains = NDArray[np.float64]


class Limiter:
    """Keeps |output| at ``ceiling_db`` dBFS or below; quieter sound is only delayed, bit for bit.

    The gain comes down over ``lookahead_ms`` before a peak: the least gain of the window ahead, then its
    moving average. It comes back up at 1 / ``release_ms``.
    """

    def __init__(self, ceiling_db: float = -1.0, lookahead_ms: float = 2.0, release_ms: float = 100.0) -> None:
        # Rounded towards zero, so that the ceiling holds in float32 too.
        self._ceiling = np.nextafter(np.float32(10.0 ** (ceiling_db / 20.0)), np.float32(0.0))
        self._lookahead_samples = max(1, math.ceil(lookahead_ms * SAMPLE_RATE_HZ / 1000))
        self._rise_per_sample = 1000.0 / (release_ms * SAMPLE_RATE_HZ)
        self.reset()

    @property
    def latency_samples(self) -> int:
        """The look-ahead: how many samples the output lies behind the input."""
        return self._lookahead_samples

    def reset(self) -> None:
        """Forget the sound still inside."""
        lookahead = self._lookahead_samples
        self._delayed = np.zeros(lookahead, np.float32)
        self._needed = np.ones(lookahead)
        self._held = np.ones(lookahead)

    def process(self, chunk: Samples) -> Samples:
        """Limit the next samples, (n,) to (n,)."""
        n = len(chunk)
        if not n:
            return chunk
        sound = np.concatenate((self._delayed, chunk))
        self._delayed = sound[n:].copy()
        peak = np.abs(chunk).max()
        if peak <= self._ceiling and self._is_idle():
            return sound[:n]
        gains = self._gains(np.abs(chunk))
        limited = (sound[:n] * gains).astype(np.float32)
        return np.clip(limited, -self._ceiling, self._ceiling)

    def _is_idle(self) -> bool:
        """Whether the gain has been 1 for a whole window, so that a quiet chunk leaves all as it is."""
        return bool(self._needed.min() == 1.0 and self._held.min() == 1.0)

    def _gains(self, level: Samples) -> Gains:
        """The gain of each sample that leaves now, (n,), from the level of each that enters."""
        n, window = len(level), self._lookahead_samples + 1
        needed = np.concatenate((self._needed, self._ceiling / np.maximum(level, self._ceiling)))
        least = sliding_window_view(needed, window).min(axis=1)
        rise = self._rise_per_sample * np.arange(1, n + 1)
        floor = np.minimum.accumulate(np.concatenate((self._held[-1:], least - rise)))[1:] + rise
        held = np.concatenate((self._held, np.minimum(floor, 1.0)))
        sums = np.concatenate(((0.0,), np.cumsum(held)))
        self._needed, self._held = needed[n:], held[n:]
        gains: Gains = (sums[window:] - sums[:-window]) / window
        return gains

"""A look-ahead limiter: no sample above the ceiling, no hard edge below it."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples, amplitude
from rwc_pw.conversion.effects.effect import Effect

# Gains are whole multiples of 1 / UNITY, so that rounding does not depend on the chunking of the input.
UNITY = 1 << 24
Gains = NDArray[np.int64]


class Limiter(Effect):
    """Keeps |output| at ``ceiling_db`` dBFS or below; quieter sound is only delayed, bit-exact.

    The gain falls over ``lookahead_ms`` before a peak: the least gain of the window ahead, then its moving
    average. It rises again at 1 / ``release_ms``.
    """

    def __init__(self, ceiling_db: float = -1.0, lookahead_ms: float = 2.0, release_ms: float = 100.0) -> None:
        # As a float32, rounded down.
        self._ceiling = float(np.nextafter(np.float32(amplitude(ceiling_db)), np.float32(0.0)))
        self._lookahead_samples = max(1, math.ceil(lookahead_ms * SAMPLE_RATE_HZ / 1000))
        self._rise_per_sample = math.ceil(UNITY * 1000 / (release_ms * SAMPLE_RATE_HZ))
        self.reset()

    @property
    def latency_samples(self) -> int:
        """The look-ahead: how many samples the output lies behind the input."""
        return self._lookahead_samples

    def reset(self) -> None:
        """Forget the sound still inside."""
        lookahead = self._lookahead_samples
        self._delayed = np.zeros(lookahead, np.float32)
        self._needed: Gains = np.full(lookahead, UNITY)
        self._held: Gains = np.full(lookahead, UNITY)

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
        return (sound[:n] * gains).astype(np.float32)

    def _is_idle(self) -> bool:
        """Return whether the gain has been 1 for a whole window, so that a quiet chunk changes nothing."""
        return bool(self._needed.min() == UNITY and self._held.min() == UNITY)

    def _gains(self, level: Samples) -> NDArray[np.float64]:
        """The gain of each outgoing sample, (n,), from the level of each incoming one."""
        n, window = len(level), self._lookahead_samples + 1
        # In float64 and rounded down, so that the product, rounded to float32, cannot exceed the ceiling.
        allowed = (UNITY * self._ceiling / np.maximum(level, self._ceiling).astype(np.float64)).astype(np.int64)
        needed = np.concatenate((self._needed, allowed))
        least = sliding_window_view(needed, window).min(axis=1)
        rise = self._rise_per_sample * np.arange(n + 1)
        slow = np.minimum.accumulate(np.concatenate((self._held[-1:], least)) - rise) + rise
        held = np.concatenate((self._held, np.minimum(slow[1:], UNITY)))
        sums: NDArray[np.float64] = np.concatenate(((0,), np.cumsum(held)))
        self._needed, self._held = needed[n:], held[n:]
        return (sums[window:] - sums[:-window]) / (window * UNITY)

"""A noise gate: sound below the speaker's level becomes silence."""

import math

import numpy as np
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples, amplitude
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.effect import Effect

HYSTERESIS_DB = 6.0  # of the gate that a user sets


class NoiseGate(Effect):
    """Opens on a sample at ``open_db`` dBFS and closes ``hold_ms`` after the last one at ``close_db``.

    The gain moves in straight lines, 0 to 1 in ``attack_ms`` and 1 to 0 in ``release_ms``. It adds no delay,
    and the output does not depend on the chunking of the input. ``open_db=None`` switches the gate off.
    """

    def __init__(
        self,
        open_db: float | None = -45.0,
        close_db: float = -51.0,
        hold_ms: float = 150.0,
        attack_ms: float = 2.0,
        release_ms: float = 50.0,
    ) -> None:
        self.set_levels(open_db, close_db)
        self._hold_samples = _samples(hold_ms)
        # The ramp is counted in whole steps, so that rounding does not depend on the chunking of the input.
        self._up = _samples(release_ms)
        self._down = _samples(attack_ms)
        self._top = self._up * self._down
        self.reset()

    def set_levels(self, open_db: float | None, close_db: float) -> None:
        """Open and close at these levels from the next samples on."""
        if open_db is not None and close_db > open_db:
            raise ValueError(f"the gate would close at {close_db} dBFS, above {open_db} dBFS, where it opens")
        self._open_level = 0.0 if open_db is None else amplitude(open_db)
        self._close_level = 0.0 if open_db is None else amplitude(close_db)

    def adjust(self, config: ConversionConfig) -> None:
        self.set_levels(config.gate_db, config.gate_db - HYSTERESIS_DB)

    def reset(self) -> None:
        """Close the gate, as before the first sample."""
        self._is_open = False
        self._position = 0
        self._quiet_samples = 0

    def process(self, chunk: Samples) -> Samples:
        """Gate the next samples, (n,) to (n,)."""
        if not self._open_level or not len(chunk):
            return chunk
        is_open = self._decide(np.abs(chunk))
        settled_at = self._top if self._is_open else 0
        if is_open is None:
            if self._position == settled_at:
                return chunk if self._is_open else np.zeros_like(chunk)
            is_open = np.full(len(chunk), self._is_open)
        self._is_open = bool(is_open[-1])
        return (chunk * self._ramp(is_open)).astype(np.float32)

    def _decide(self, level: Samples) -> NDArray[np.bool_] | None:
        """For each sample, whether the gate is open; None if it stays as it is."""
        n = len(level)
        if not self._is_open and level.max() < self._open_level:
            return None
        index = np.arange(n)
        loud = np.where(level >= self._close_level, index, -1 - self._quiet_samples)
        last_loud = np.maximum.accumulate(loud)
        quiet = index - last_loud
        self._quiet_samples = int(quiet[-1])
        last_open = np.maximum.accumulate(np.where(level >= self._open_level, index, -1 if self._is_open else -2))
        last_shut = np.maximum.accumulate(np.where(quiet > self._hold_samples, index, -2 if self._is_open else -1))
        is_open: NDArray[np.bool_] = last_open > last_shut
        return is_open

    def _ramp(self, is_open: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The gain of each sample, (n,), one straight line per open or closed stretch."""
        positions = np.empty(len(is_open))
        turns = np.flatnonzero(is_open[1:] != is_open[:-1]) + 1
        for start, end in zip([0, *turns], [*turns, len(is_open)], strict=True):
            step = self._up if is_open[start] else -self._down
            line = np.clip(self._position + step * np.arange(1, end - start + 1), 0, self._top)
            self._position = int(line[-1])
            positions[start:end] = line
        return positions / self._top


def _samples(duration_ms: float) -> int:
    return max(1, math.ceil(duration_ms * SAMPLE_RATE_HZ / 1000))

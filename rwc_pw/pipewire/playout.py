"""Keeps one block of sound waiting for the player, so that the delay is small and constant."""

from collections import deque
from statistics import median_low

OBSERVATIONS = 8
MOST_BLOCKS = 4  # more cannot be jitter


class PlayoutQueue:
    """Decides, from the queue's length, how much to skip of a block or to put before it; pure.

    The player takes one block per cycle. One block in reserve covers a late one; a reserve that stays longer
    is useless delay (the graph played silence while we were late), one that stays shorter gives no cover
    (the capture lost something).
    """

    def __init__(self) -> None:
        self.block_samples = 0
        """The quantum: what is captured and played in one cycle."""
        self._reserves: deque[int] = deque(maxlen=OBSERVATIONS)

    @property
    def reserve_samples(self) -> int:
        """Samples that usually wait between two cycles, as observed."""
        return median_low(self._reserves) if self._reserves else self.block_samples

    def set_block(self, block_samples: int) -> None:
        """The graph now runs at this quantum."""
        self.block_samples = block_samples
        self._reserves.clear()

    def observe(self, queued_samples: int) -> None:
        """Record the queue's length midway between two cycles."""
        self._reserves.append(queued_samples)

    def correction(self, queued_samples: int, next_samples: int) -> int:
        """Number of the next samples to skip (> 0), or of silent ones to put before them (< 0)."""
        excess = queued_samples + next_samples - 2 * self.block_samples
        if excess > (MOST_BLOCKS - 2) * self.block_samples:
            self._reserves.clear()
            return min(excess, next_samples)
        if len(self._reserves) < OBSERVATIONS:
            return 0
        surplus = min(self._reserves) - self.block_samples
        shortage = self.block_samples - max(self._reserves)
        if surplus > 0 or shortage > 0:
            self._reserves.clear()
        return min(surplus, next_samples) if surplus > 0 else -max(0, shortage)

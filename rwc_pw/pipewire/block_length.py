"""The length of the blocks in which the recorder delivers sound."""

from collections import deque
from statistics import mode

SURE_BLOCKS = 9


class BlockLength:
    """Tells a graph that runs at another quantum from blocks that are merely late; pure."""

    def __init__(self) -> None:
        self.usual = 0
        """The length of most of the last blocks, in samples."""
        self._lengths: deque[int] = deque(maxlen=SURE_BLOCKS)
        self._steady = 0  # that all of the last blocks had, most recently

    def observe(self, samples: int) -> bool:
        """Record a block's length; return whether all of the last blocks now share another one than they did before."""
        self._lengths.append(samples)
        self.usual = mode(self._lengths)  # after a delay, several blocks arrive as one
        if self.usual == self._steady or self._lengths.count(self.usual) < SURE_BLOCKS:
            return False
        before, self._steady = self._steady, self.usual
        return before > 0

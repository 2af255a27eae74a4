"""A bounded first-in, first-out buffer of samples."""

import numpy as np

from rwc_pw.audio.samples import Samples


class SampleFifo:
    """When full, it drops the oldest samples."""

    def __init__(self, capacity_samples: int) -> None:
        self.capacity_samples = capacity_samples
        self._buffer = np.zeros(2 * capacity_samples, np.float32)  # twice the size, so that the content is rarely moved
        self._start = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    def push(self, samples: Samples) -> Samples:
        """Append (n,); return the oldest samples, which were dropped."""
        excess = max(0, len(self) + len(samples) - self.capacity_samples)
        dropped = self.pull(excess)
        if never_stored := excess - len(dropped):
            dropped, samples = np.concatenate([dropped, samples[:never_stored]]), samples[never_stored:]
        if self._end + len(samples) > len(self._buffer):
            kept = len(self)
            self._buffer[:kept] = self._buffer[self._start : self._end].copy()
            self._start, self._end = 0, kept
        self._buffer[self._end : self._end + len(samples)] = samples
        self._end += len(samples)
        return dropped

    def pull(self, size: int) -> Samples:
        """Remove and return the oldest ``size`` samples, or all if there are fewer."""
        size = min(size, len(self))
        samples = self._buffer[self._start : self._start + size].copy()
        self._start += size
        return samples

    def clear(self) -> None:
        self._start = self._end = 0

"""How long conversions take, and how much time one is therefore given."""

import math
import time
from collections import deque

import numpy as np

from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, ConversionBackend

KEPT = 300
TRIAL_CHUNKS = 15
TRIAL_S = 1.0  # a slow converter is measured on fewer
RECENT = 9
LATEST = 50
SELDOM = 2  # of the latest: a stall, which more time would not have helped
MARGIN = 1.2  # over what 99 of 100 took: the first 15 tell little of what is rare


class ConversionTimes:
    """Of the last chunks of ``chunk_size`` samples that became sound: silence costs nothing, and tells nothing.

    The conversion thread adds to it, any thread reads it.
    """

    def __init__(self, chunk_size: int, kept: int = KEPT) -> None:
        self.chunk_size = chunk_size
        self._times_s: deque[float] = deque(maxlen=kept)
        self.count = 0
        """Of all that were added."""

    def try_out(self, backend: ConversionBackend, chunks: int = TRIAL_CHUNKS, longest_s: float = TRIAL_S) -> None:
        """Initialise ``backend`` and let it convert so many ``chunks``, or as many as it can in ``longest_s``."""
        backend.initialize()
        # as loud as can be: no gate stops it, and what silence spares the converter is measured, too
        noise = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), self.chunk_size)
        backend.convert_chunk(noise)  # takes longer than any other, and only once
        since_s = started_s = time.monotonic()
        for _ in range(chunks):
            backend.convert_chunk(noise)
            ended_s = time.monotonic()
            self.add(ended_s - started_s)
            started_s = ended_s
            if ended_s - since_s >= longest_s:
                break

    def add(self, time_s: float) -> None:
        self._times_s.append(time_s)
        self.count += 1

    @property
    def last_s(self) -> float:
        return self._times_s[-1] if self._times_s else 0.0

    @property
    def real_time_factor(self) -> float:
        """The median of the last ones over how long a chunk lasts; above 1 none keeps up."""
        return self.load(50, last=RECENT)

    def load(self, percent: float, last: int = 0) -> float:
        """That percentile of the ``last`` ones, or of all, over how long a chunk lasts."""
        return self.percentile_s(percent, last) * SAMPLE_RATE_HZ / self.chunk_size

    def percentile_s(self, percent: float, last: int = 0) -> float:
        times_s = list(self._times_s)[-last:]
        return float(np.percentile(times_s, percent)) if times_s else 0.0

    def delay_samples(self, size: int) -> int:
        """The least delay at which blocks of ``size`` samples wait neither for a chunk to fill nor to be converted.

        A conversion is given what 99 of 100 took and a little more, and never longer than its chunk lasts: one that
        takes longer does not keep up, however long it is waited for.
        """
        converting = min(self.chunk_size, round(MARGIN * self.percentile_s(99) * SAMPLE_RATE_HZ))
        return self._filling_samples(size) + max(0, converting - size // 2)

    def often_exceed(self, delay_samples: int, size: int) -> bool:
        """Whether the latest conversions, and not one of them by chance, took longer than that delay gives them."""
        given_s = (delay_samples - self._filling_samples(size) + size // 2) / SAMPLE_RATE_HZ
        return sum(time_s > given_s for time_s in list(self._times_s)[-LATEST:]) > SELDOM

    def _filling_samples(self, size: int) -> int:
        return self.chunk_size - math.gcd(self.chunk_size, size)

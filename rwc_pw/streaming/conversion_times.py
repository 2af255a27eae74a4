"""Durations of conversions, and the time to allow for one."""

import math
import time
from collections import deque

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.conversion.backend import ConversionBackend

KEPT_CHUNKS = 300
TRIAL_CHUNKS = 15
TRIAL_S = 1.5  # a slow converter is measured on fewer chunks
MEDIAN_CHUNKS = 9
LATEST_CHUNKS = 50
TOLERATED_OUTLIERS = 2  # among the latest: a stall, which more delay would not have prevented
MARGIN = 1.2  # over the 99th percentile: the first 15 tell little about rare cases
PATIENCE = 0.8  # the fraction of a block's duration for which it may wait to be converted


class ConversionTimes:
    """Durations of the last conversions. Silent chunks are left out: they cost almost nothing.

    A chunk has ``chunk_size`` samples. The conversion thread adds durations, any thread reads them.
    """

    def __init__(self, chunk_size: int, kept: int = KEPT_CHUNKS) -> None:
        self.chunk_size = chunk_size
        self._times_s: deque[float] = deque(maxlen=kept)
        self.count = 0
        """Number of durations added in all."""

    def try_out(
        self,
        backend: ConversionBackend,
        chunks: int = TRIAL_CHUNKS,
        longest_s: float = TRIAL_S,
        *,
        in_real_time: bool = False,
    ) -> None:
        """Initialise ``backend`` and time it on ``chunks`` chunks, or on as many as it converts in ``longest_s``.

        ``in_real_time`` lets each chunk wait until its sound would have arrived: caches cool down meanwhile, and a
        conversion takes longer than right after another.
        """
        least_s = self.chunk_size / SAMPLE_RATE_HZ if in_real_time else 0.0
        backend.initialize()
        # full scale: no gate blocks it, and work that silence would skip is measured, too
        noise = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), self.chunk_size)
        backend.convert_chunk(noise)  # the first takes longer than all others
        ends_s = time.monotonic() + longest_s
        for _ in range(chunks):
            started_s = time.monotonic()
            backend.convert_chunk(noise)
            taken_s = time.monotonic() - started_s
            self.add(taken_s)
            if started_s + max(taken_s, least_s) >= ends_s:
                break
            time.sleep(max(0.0, least_s - taken_s))

    def add(self, time_s: float) -> None:
        self._times_s.append(time_s)
        self.count += 1

    @property
    def last_s(self) -> float:
        return self._times_s[-1] if self._times_s else 0.0

    @property
    def real_time_factor(self) -> float:
        """The recent median divided by the chunk's duration; above 1 the converter does not keep up."""
        return self.load(50, last=MEDIAN_CHUNKS)

    def load(self, percent: float, last: int = 0) -> float:
        """That percentile of the ``last`` durations, or of all, divided by the chunk's duration."""
        return self.percentile_s(percent, last) * SAMPLE_RATE_HZ / self.chunk_size

    def percentile_s(self, percent: float, last: int = 0) -> float:
        times_s = list(self._times_s)[-last:]
        return float(np.percentile(times_s, percent)) if times_s else 0.0

    def delay_samples(self, size: int) -> int:
        """The least delay at which no block of ``size`` samples, at most a chunk, waits for more than ``PATIENCE``.

        A conversion is allowed the 99th percentile and a little more, but never more than its chunk's duration: a
        converter that takes longer does not keep up at any delay. Since sound is played in blocks, the delay grows
        by whole blocks.
        """
        converting = min(self.chunk_size, MARGIN * self.percentile_s(99) * SAMPLE_RATE_HZ)
        return self._filling_samples(size) + size * max(0, math.ceil(converting / size - PATIENCE))

    def often_exceed(self, delay_samples: int, size: int) -> bool:
        """Return whether of the latest conversions more than a few took longer than that delay allows."""
        whole_blocks = (delay_samples - self._filling_samples(size)) // size
        given_s = (whole_blocks + PATIENCE) * size / SAMPLE_RATE_HZ
        return sum(time_s > given_s for time_s in list(self._times_s)[-LATEST_CHUNKS:]) > TOLERATED_OUTLIERS

    def _filling_samples(self, size: int) -> int:
        return self.chunk_size - math.gcd(self.chunk_size, size)

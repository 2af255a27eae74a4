"""Sound as all of rwc-pw carries it, and its units."""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 48_000
SAMPLE_BYTES = 4  # float32

Samples = NDArray[np.float32]
"""Mono sound: shape (n,), float32, full scale ±1, at ``SAMPLE_RATE_HZ``."""


def milliseconds(samples: float) -> float:
    """The duration of ``samples`` samples."""
    return samples * 1000 / SAMPLE_RATE_HZ


def amplitude(db: float) -> float:
    """Decibels as an amplitude factor."""
    return float(10.0 ** (db / 20.0))

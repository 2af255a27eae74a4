"""The pitch, found by SwiftF0 (Nieradzik, 2025), whose weights come with its package."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.plan import CONTENT_RATE_HZ

LEAST_CONFIDENCE = 0.5


def detect_pitch(sound: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of sound at 16 kHz, (n,), the times in s and the pitch in Hz, 0 where there is none."""
    found = _detector().detect(sound, CONTENT_RATE_HZ)
    return found.timestamps, np.where(found.confidence >= LEAST_CONFIDENCE, found.pitch_hz, 0)


@cache
def _detector() -> Any:
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)

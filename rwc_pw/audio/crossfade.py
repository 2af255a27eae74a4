"""Crossfades from one sound to another, without a click."""

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples

FADE_SAMPLES = SAMPLE_RATE_HZ // 100


def crossfade(before: Samples, after: Samples) -> Samples:
    """``after``, (n,), faded in over the last ``FADE_SAMPLES`` at most of ``before``, which may be shorter."""
    end = min(len(before), len(after))
    start = max(0, end - FADE_SAMPLES)
    share = np.linspace(0, 1, end - start, endpoint=False, dtype=np.float32)
    faded = before[start:end] + share * (after[start:end] - before[start:end])
    return np.concatenate([before[:start], faded, after[end:]])

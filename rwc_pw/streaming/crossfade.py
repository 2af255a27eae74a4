"""From one sound to another without a click."""

import numpy as np

from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, Samples

FADE_SAMPLES = SAMPLE_RATE_HZ // 100


def crossfade(before: Samples, after: Samples) -> Samples:
    """``after``, (n,), faded in over the beginning of ``before``, which may be shorter: ``FADE_SAMPLES`` at most."""
    fade = min(FADE_SAMPLES, len(before), len(after))
    share = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
    return np.concatenate([before[:fade] + share * (after[:fade] - before[:fade]), after[fade:]])

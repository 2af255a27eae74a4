"""Tells in which channels somebody speaks, by what only voices have: a pitch in their range, with many harmonics."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
HOP_SAMPLES = 160  # 20 ms
WINDOW_SAMPLES = 320  # 40 ms: three periods of the lowest voice
BAND_HZ = 100.0, 2000.0  # below is hum, above is hiss
SHORTEST_LAG, LONGEST_LAG = 16, 114  # 500 to 70 Hz
FIRST_LAG = 3  # before it, everything is like itself
LEAST_PERIODIC = 0.7  # of the energy; noise reaches 0.5, speech is above in four of five frames
MOST_PERIODIC = 1.1  # beyond it, what is longer than the window is taken for a period
LEAST_OVERTONES = 0.9  # a period this much shorter and as good is the true one: a whistle, or an interface that whines
QUIETEST_DB = -70.0

_SIZE = 512
_WINDOW = np.hanning(WINDOW_SAMPLES + 2)[1:-1].astype(np.float32)
_ENERGY = float(np.square(_WINDOW).sum()) * _SIZE / 2
_frequencies_hz = np.fft.rfftfreq(_SIZE, 1 / RATE_HZ)
_OUTSIDE = (_frequencies_hz < BAND_HZ[0]) | (_frequencies_hz > BAND_HZ[1])
_own = np.fft.irfft(np.square(np.abs(np.fft.rfft(_WINDOW, _SIZE))), _SIZE)[: LONGEST_LAG + 2]
_OWN = _own / _own[0]
_OCTAVES = 0.02 * np.log2(np.arange(SHORTEST_LAG, LONGEST_LAG + 1) / SHORTEST_LAG)  # twice a period is one, too


class Voicing(NamedTuple):
    """Measures of each channel at one moment; all (channels,)."""

    levels_db: NDArray[np.float64]
    """Level of the band in which voices are; ``QUIETEST_DB`` is silence."""
    pitches_hz: NDArray[np.float64]
    """Pitch of the voice, or 0 where there is none."""


def voicing(frames: NDArray[np.float32]) -> Voicing:
    """Examine one moment of all channels, (channels, ``WINDOW_SAMPLES``) at ``RATE_HZ``, which must be finite."""
    levels_db = np.full(len(frames), QUIETEST_DB)
    pitches_hz = np.zeros(len(frames))
    loud = np.flatnonzero(np.abs(frames).max(axis=1) > 10 ** (QUIETEST_DB / 20))
    if not len(loud):
        return Voicing(levels_db, pitches_hz)
    moving = frames[loud] - frames[loud].mean(axis=1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(moving * _WINDOW, _SIZE, axis=1)))
    power[:, _OUTSIDE] = 0
    likeness = np.fft.irfft(power, _SIZE, axis=1)[:, : LONGEST_LAG + 2]  # by Wiener and Khinchin
    mean = likeness[:, 0] * _SIZE / 2 / _ENERGY
    levels_db[loud] = np.maximum(QUIETEST_DB, 10 * np.log10(np.maximum(mean, 1e-12)))
    likeness = likeness / np.maximum(likeness[:, :1], 1e-12) / _OWN
    pitches_hz[loud] = np.where(levels_db[loud] > QUIETEST_DB, [_pitch_hz(row) for row in likeness], 0)
    return Voicing(levels_db, pitches_hz)


def _pitch_hz(likeness: NDArray[np.float64]) -> float:
    """The pitch of a sound that is this much like itself after 0, 1, 2, … samples; 0 if it is no voice."""
    lag = SHORTEST_LAG + int(np.argmax(likeness[SHORTEST_LAG : LONGEST_LAG + 1] - _OCTAVES))
    before, best, after = likeness[lag - 1 : lag + 2]
    if not LEAST_PERIODIC <= best <= MOST_PERIODIC or best < max(before, after):
        return 0.0
    earlier = likeness[FIRST_LAG : SHORTEST_LAG + 1]
    peaks = earlier[1:-1][(earlier[1:-1] >= earlier[:-2]) & (earlier[1:-1] >= earlier[2:])]
    if len(peaks) and peaks.max() > LEAST_OVERTONES * best:
        return 0.0
    bend = before - 2 * best + after
    return float(RATE_HZ / (lag + (before - after) / (2 * bend) if bend else lag))

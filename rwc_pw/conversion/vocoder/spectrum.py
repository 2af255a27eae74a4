"""Peaks, envelope and pitch of the voice in one frame's spectrum. Frequencies are in bins."""

import numpy as np
from numpy.typing import NDArray
from stftpitchshift.cepster import lifter

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Indices = NDArray[np.intp]

UNVOICED_QUEFRENCY_SAMPLES = 90
LOWEST_PITCH_HZ = 65.0
HIGHEST_PITCH_HZ = 450.0
HIGHEST_HARMONIC_HZ = 4000.0  # above it a voice is too noisy to detect the pitch
VOICED_CORRELATION = 0.2  # white noise stays below 0.15
_FLOOR = 1e-9  # keeps the logarithm finite


def find_peaks(magnitudes: Reals) -> Indices:
    """The bins that rise above two neighbours on either side, in ascending order; at least one."""
    middle = magnitudes[2:-2]
    higher = (middle > magnitudes[1:-3]) & (middle >= magnitudes[3:-1])
    higher &= (middle > magnitudes[:-4]) & (middle >= magnitudes[4:])
    peaks = np.flatnonzero(higher) + 2
    if not len(peaks):
        peaks = np.array([magnitudes.argmax()])
    return peaks


def envelope(magnitudes: Reals, pitch_bins: float) -> Reals:
    """The vocal tract's response, (bins,): the magnitudes' cepstrum up to half the pitch period.

    ``pitch_bins`` is 0 for a frame without pitch.
    """
    frame = 2 * (len(magnitudes) - 1)
    quefrency = round(frame / pitch_bins / 2) if pitch_bins else UNVOICED_QUEFRENCY_SAMPLES
    response: Reals = lifter(magnitudes[np.newaxis] + _FLOOR, quefrency)[0]
    return response


class PitchDetector:
    """Finds a frame's pitch from the autocorrelation of its magnitudes, relative to the window's own."""

    def __init__(self, window: Reals, sample_rate_hz: int) -> None:
        frame = len(window)
        self._top_bin = round(HIGHEST_HARMONIC_HZ * frame / sample_rate_hz)
        # A quarter of the sample rate is enough for these harmonics: one lag is four samples.
        self._lags = frame // 4
        self._shortest = round(sample_rate_hz / HIGHEST_PITCH_HZ / 4)
        self._longest = round(sample_rate_hz / LOWEST_PITCH_HZ / 4)
        own = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * frame)) ** 2)[:frame:4]
        self._own = np.sqrt(own[self._shortest : self._longest] / own[0])

    def pitch_bins(self, magnitudes: Reals) -> float:
        """The pitch in bins, or 0 if the frame has none."""
        low = magnitudes[: self._lags // 2 + 1].copy()
        low[:2] = 0.0
        low[self._top_bin :] = 0.0
        correlation = np.fft.irfft(low, self._lags)
        strength = correlation[self._shortest : self._longest] / self._own
        best = int(strength.argmax())
        if not 0 < best < len(strength) - 1 or strength[best] < VOICED_CORRELATION * correlation[0]:
            return 0.0
        before, here, after = strength[best - 1 : best + 2].tolist()
        bend = before - 2 * here + after
        lag = self._shortest + best + (0.5 * (before - after) / bend if bend else 0.0)
        return float(self._lags / lag)

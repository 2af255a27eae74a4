"""Mel filters: triangles over the spectrum, evenly spaced on a scale of perceived pitch."""

import numpy as np
from numpy.typing import NDArray

SLANEY_HZ, SLANEY_MEL = 1000.0, 15.0
SLANEY_STEP = np.log(6.4) / 27  # above SLANEY_HZ


def mel_filters(
    rate_hz: int, spectrum_samples: int, bands: int, least_hz: float, most_hz: float, *, is_htk: bool
) -> NDArray[np.float32]:
    """Make filters, (bands, spectrum_samples / 2 + 1), each of unit area, as librosa's ``filters.mel``.

    The scale is HTK's (Young et al., "The HTK Book") or that of Slaney's Auditory Toolbox.
    """
    scale, hertz = (_htk_mel, _htk_hz) if is_htk else (_slaney_mel, _slaney_hz)
    edges = hertz(np.linspace(scale(np.array(least_hz)), scale(np.array(most_hz)), bands + 2))
    bins = np.arange(spectrum_samples // 2 + 1) * (rate_hz / spectrum_samples)
    low, centre, high = (edges[at : at + bands, None] for at in range(3))
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    filters: NDArray[np.float32] = (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)
    return filters


def _htk_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2595 * np.log10(1 + hz / 700)


def _htk_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    hz: NDArray[np.float64] = 700 * (10 ** (mel / 2595) - 1)
    return hz


def _slaney_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = SLANEY_MEL + np.log(np.maximum(hz, SLANEY_HZ) / SLANEY_HZ) / SLANEY_STEP
    return np.where(hz < SLANEY_HZ, hz * SLANEY_MEL / SLANEY_HZ, above)


def _slaney_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = SLANEY_HZ * np.exp(SLANEY_STEP * (np.maximum(mel, SLANEY_MEL) - SLANEY_MEL))
    return np.where(mel < SLANEY_MEL, mel * SLANEY_HZ / SLANEY_MEL, above)

"""A real voice that no conversion hides: its sound, and the matched filter that finds it in what an app has heard.

The voice lies below 6 kHz. A marker lies far above it, of 40 tones that repeat together every 10 ms: wherever a piece
of the real voice begins, any 10 ms of it hold one whole period, and converted sound has nothing of that shape there.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples

PERIOD_SAMPLES = SAMPLE_RATE_HZ // 100
MARKER_BINS = slice(160, 200)
"""The tones' frequencies in a period's spectrum: 16 to 19.9 kHz."""
MARKER_LEVEL = 0.03  # rms
VOICE_HZ = 170.0
REPEATED_SAMPLES = SAMPLE_RATE_HZ // 10  # in which both the voice and the marker begin again
VOICE_HARMONICS = 35
VOICE_PEAK = 0.2
SLOPE_HZ = 12_000, 16_000
HOP_SAMPLES = PERIOD_SAMPLES // 8
SILENT_RMS = 0.003
LEAST_DB = -66.0
"""How much quieter than at the microphone the real voice may be and still be found."""
LEAST_LIKENESS = 0.7
"""From 0 to 1, how much of a period's energy between 16 and 20 kHz must be the marker's: a click's is a third."""

Reals = NDArray[np.float64]


def real_voice(seconds: float) -> Samples:
    """What is said into the microphone: mono float32 at 48 kHz."""
    phases = 2 * np.pi * VOICE_HZ / SAMPLE_RATE_HZ * np.arange(REPEATED_SAMPLES)
    voice = np.sum([np.sin(n * phases) / n for n in range(1, VOICE_HARMONICS)], axis=0)
    said = VOICE_PEAK * voice / np.abs(voice).max() + np.resize(_marker(), REPEATED_SAMPLES)
    return np.resize(said, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def find(heard: Samples) -> Reals:
    """How loud the real voice is in each period of ``heard``, one every ``HOP_SAMPLES``: 1 as at the microphone,
    0 where it is not found. Shape (n,); empty for less than a period.
    """
    if len(heard) < PERIOD_SAMPLES:
        return np.zeros(0)
    periods = sliding_window_view(_above_the_voice(heard), PERIOD_SAMPLES)[::HOP_SAMPLES]
    spectra = np.fft.rfft(periods, axis=1)[:, MARKER_BINS]
    energy = np.sum(np.abs(spectra) ** 2, axis=1)
    marker = np.fft.rfft(_marker())[MARKER_BINS]
    matched = np.zeros((len(spectra), PERIOD_SAMPLES // 2 + 1), complex)
    matched[:, MARKER_BINS] = spectra * marker.conj()
    likeness = np.fft.irfft(matched, PERIOD_SAMPLES, axis=1).max(axis=1) * PERIOD_SAMPLES / 2
    marker_energy = np.sum(np.abs(marker) ** 2)
    level = likeness / marker_energy
    is_found = (level >= 10 ** (LEAST_DB / 20)) & (likeness >= LEAST_LIKENESS * np.sqrt(energy * marker_energy))
    return np.where(is_found, level, 0.0)


def is_loud(heard: Samples) -> NDArray[np.bool_]:
    """Whether each whole period of ``heard`` carries any voice, converted or not: shape (n,)."""
    periods = heard[: len(heard) // PERIOD_SAMPLES * PERIOD_SAMPLES].reshape(-1, PERIOD_SAMPLES)
    loud: NDArray[np.bool_] = np.sqrt(np.mean(np.square(periods), axis=1)) >= SILENT_RMS
    return loud


def _marker() -> Reals:
    """One period."""
    spectrum = np.zeros(PERIOD_SAMPLES // 2 + 1, complex)
    random = np.random.default_rng(1)
    tones = len(spectrum[MARKER_BINS])
    spectrum[MARKER_BINS] = np.exp(2j * np.pi * random.uniform(size=tones))
    marker = np.fft.irfft(spectrum)
    return marker * MARKER_LEVEL / np.sqrt(np.mean(marker**2))


def _above_the_voice(heard: Samples) -> Reals:
    """What of it lies where the marker does; the voice would leak into a period's spectrum."""
    samples = len(heard) + PERIOD_SAMPLES
    frequencies_hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    share = np.clip((frequencies_hz - SLOPE_HZ[0]) / (SLOPE_HZ[1] - SLOPE_HZ[0]), 0, 1)
    spectrum = np.fft.rfft(heard, samples) * np.sin(np.pi / 2 * share) ** 2  # gently, or it would ring after a click
    return np.fft.irfft(spectrum, samples)[: len(heard)]

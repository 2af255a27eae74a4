import numpy as np
import pytest

from rwc_pw.conversion.vocoder.spectrum import PitchDetector, envelope, find_peaks

RATE_HZ = 48_000
FRAME = 2048
WINDOW = np.hanning(FRAME)
TIME = np.arange(FRAME) / RATE_HZ


def magnitudes(pitch_hz: float, heights: np.ndarray) -> np.ndarray:
    orders = np.arange(1, len(heights) + 1)
    return np.abs(np.fft.rfft(WINDOW * (heights @ np.cos(2 * np.pi * np.outer(orders * pitch_hz, TIME)))))


@pytest.mark.parametrize("pitch_hz", [75.0, 110.0, 220.0, 400.0])
def test_the_pitch_is_found_even_without_its_first_harmonic(pitch_hz: float) -> None:
    heights = np.exp(-np.arange(10) / 4.0)
    heights[0] = 0.0
    found = PitchDetector(WINDOW, RATE_HZ).pitch_bins(magnitudes(pitch_hz, heights))
    assert found * RATE_HZ / FRAME == pytest.approx(pitch_hz, rel=0.02)


def test_noise_and_silence_have_no_pitch() -> None:
    detector = PitchDetector(WINDOW, RATE_HZ)
    random = np.random.default_rng(0)
    for _ in range(50):
        assert detector.pitch_bins(np.abs(np.fft.rfft(WINDOW * random.standard_normal(FRAME)))) == 0.0
    assert detector.pitch_bins(np.zeros(FRAME // 2 + 1)) == 0.0


def test_the_peaks_are_the_harmonics() -> None:
    peaks = find_peaks(magnitudes(234.375, np.ones(5)))  # ten bins apart
    assert [peak for peak in peaks.tolist() if peak <= 50] == [10, 20, 30, 40, 50]


def test_a_spectrum_without_a_hill_has_one_peak() -> None:
    assert find_peaks(np.zeros(1025)).tolist() == [0]
    assert find_peaks(np.linspace(0.0, 1.0, 1025)).tolist() == [1024]


def test_the_envelope_follows_the_harmonics_heights_not_the_harmonics() -> None:
    heights = np.exp(np.cos(np.arange(100) / 10))
    noise = np.abs(np.fft.rfft(WINDOW * np.random.default_rng(0).standard_normal(FRAME)))
    pitch_bins = 220.0 * FRAME / RATE_HZ
    response = np.log(envelope(magnitudes(220.0, heights) + 0.5 * noise, pitch_bins))
    at = np.rint(np.arange(5, 80) * pitch_bins).astype(int)
    between = np.rint(np.arange(5.5, 80.5) * pitch_bins).astype(int)
    assert np.median(np.abs(response[at] - response[between])) < 0.3
    assert np.corrcoef(response[at], np.log(heights[4:79]))[0, 1] > 0.9


def test_the_envelope_of_silence_is_finite() -> None:
    assert np.isfinite(envelope(np.zeros(1025), 0.0)).all()

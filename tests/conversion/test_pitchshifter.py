import numpy as np
import pytest

from rwc_pw.conversion.vocoder.pitchshifter import PitchShifter
from rwc_pw.conversion.vocoder.spectrum import Complexes, find_peaks

FRAME, HOP = 2048, 256


def spectra(*tones_bins: float) -> list[Complexes]:
    """Eight frames of the tones, their phases relative to the middles of the frames."""
    window = np.hanning(FRAME + 1)[:-1]
    frames = []
    for frame in range(8):
        turns = np.multiply.outer(tones_bins, np.arange(FRAME) - FRAME // 2 + frame * HOP) / FRAME
        frames.append(np.fft.rfft(np.fft.ifftshift(window * np.cos(2 * np.pi * turns).sum(axis=0))))
    return frames


def shifted(ratio: float, pitch_bins: float, *tones_bins: float) -> list[Complexes]:
    shifter = PitchShifter(FRAME, HOP, 48_000)
    out = []
    for spectrum in spectra(*tones_bins):
        magnitudes = np.abs(spectrum)
        peaks = find_peaks(magnitudes)
        out.append(shifter.shift(spectrum, spectrum, peaks, magnitudes[peaks], pitch_bins, ratio))
    return out


@pytest.mark.parametrize("tone_bins", [20.0, 20.4, 341.3])
@pytest.mark.parametrize("ratio", [0.7, 1.5])
def test_a_tone_turns_at_its_new_frequency(tone_bins: float, ratio: float) -> None:
    before, after = shifted(ratio, 0.0, tone_bins)[-2:]
    peak = int(np.abs(after).argmax())
    assert peak == pytest.approx(ratio * tone_bins, abs=0.6)
    gained = np.angle(after[peak] * before[peak].conj()) / (2 * np.pi)
    error = gained - HOP * ratio * tone_bins / FRAME
    assert error - np.rint(error) == pytest.approx(0.0, abs=1e-3)


def test_the_peak_keeps_its_shape_between_two_bins() -> None:
    at_20_5 = np.abs(shifted(20.5 / 20.0, 0.0, 20.0)[-1])
    assert at_20_5[20] == pytest.approx(at_20_5[21], rel=0.02)


def test_a_ratio_of_one_changes_nothing() -> None:
    for before, after in zip(spectra(10.2, 20.4, 300.0), shifted(1.0, 10.2, 10.2, 20.4, 300.0), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_the_turns_of_harmonics_are_multiples_of_one_angle() -> None:
    """The pitch is told a little wrong, as it is from a noisy voice; twenty harmonics must not drift apart."""
    orders = np.arange(1, 21)
    spectrum, moved = spectra(*(8.0 * orders))[-1], shifted(1.25, 8.3, *(8.0 * orders))[-1]
    turns = np.angle(moved[10 * orders] * spectrum[8 * orders].conj())
    error = (turns - orders * turns[0]) / (2 * np.pi)
    np.testing.assert_allclose(error - np.rint(error), 0.0, atol=1e-6)

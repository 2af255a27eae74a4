import numpy as np

from rwc_pw.conversion.effects.formant import FormantShifter

PITCH_HZ = 120.0


def vowel(seconds: float, formant_hz: float = 900.0) -> np.ndarray:
    """Harmonics of ``PITCH_HZ``, loudest around ``formant_hz``."""
    times_s = np.arange(round(seconds * 48_000)) / 48_000
    harmonics = np.arange(1, 40)
    levels = np.exp(-(((harmonics * PITCH_HZ - formant_hz) / 250) ** 2)) + 0.01
    return (0.05 * levels @ np.sin(2 * np.pi * np.outer(harmonics * PITCH_HZ, times_s))).astype(np.float32)


def loudest_hz(sound: np.ndarray) -> float:
    magnitudes = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    near_hz = np.arange(len(magnitudes)) * 48_000 / len(sound)
    return float((magnitudes @ near_hz) / magnitudes.sum())


def shifted(it: FormantShifter, sound: np.ndarray, size: int = 4800) -> np.ndarray:
    return np.concatenate([it.process(sound[at : at + size]) for at in range(0, len(sound), size)])


def test_without_a_shift_the_sound_passes_at_once_and_as_it_is():
    it = FormantShifter(0.0)
    np.testing.assert_array_equal(shifted(it, vowel(0.3)), vowel(0.3))
    assert it.latency_samples == 0


def test_the_formants_move_and_the_pitch_stays():
    it = FormantShifter(4.0)
    heard = shifted(it, vowel(1))[24_000:]
    assert 1.15 < loudest_hz(heard) / loudest_hz(vowel(1)[24_000:]) < 1.35
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    harmonics = np.argsort(spectrum)[-3:] * 48_000 / len(heard) / PITCH_HZ
    np.testing.assert_allclose(harmonics, np.rint(harmonics), atol=0.03)
    assert it.latency_samples > 0


def test_another_shift_is_reached_without_a_click_or_a_gap():
    it, heard = FormantShifter(0.0), []
    for semitones in (0.0, 3.0, -3.0, 0.0):
        it.semitones = semitones
        heard.append(shifted(it, vowel(0.5)))
    sound = np.concatenate(heard)
    steps = np.abs(np.diff(sound))
    usual = max(np.abs(np.diff(part[12_000:])).max() for part in heard)
    assert steps.max() < 1.5 * usual
    levels = np.abs(sound[: len(sound) // 960 * 960].reshape(-1, 960)).max(axis=1)
    assert levels.min() > 0.3 * np.median(levels)
    np.testing.assert_array_equal(heard[-1][4800:], vowel(0.5)[4800:])

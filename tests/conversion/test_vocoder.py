import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.vocoder.backend import ROBOT_PITCH_HZ, VocoderBackend
from rwc_pw.voices.builtin import BUILTIN_VOICES, BuiltinVoice

SAME = BuiltinVoice("same", "")
ROBOT = BUILTIN_VOICES["robot"]
WHISPER = BUILTIN_VOICES["whisper"]
LATENCY = VocoderBackend(SAME).latency_samples


def noise(count: int) -> Samples:
    return np.random.default_rng(0).uniform(-0.3, 0.3, count).astype(np.float32)


@cache
def vowel(pitch_hz: float, count: int, formant_hz: float = 1000.0) -> Samples:
    """Harmonics in phase under one formant."""
    time = np.arange(count) / SAMPLE_RATE_HZ
    harmonics = np.arange(1, 5000 // pitch_hz) * pitch_hz
    heights = np.exp(-(((harmonics - formant_hz) / 400) ** 2)) + 0.02
    sound = heights @ np.cos(2 * np.pi * np.outer(harmonics, time))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def convert(voice: BuiltinVoice, sound: Samples) -> Samples:
    return VocoderBackend(voice).convert_chunk(sound)


def level_db(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2)))


def correlation(sound: Samples) -> np.ndarray:
    spectrum = np.fft.rfft(sound, 2 * len(sound))
    lags = np.fft.irfft(np.abs(spectrum) ** 2)[: len(sound)]
    return lags / lags[0]


def pitch_hz(sound: Samples) -> float:
    """The first lag that is nearly as good as the best."""
    lags = correlation(sound)[:1000]
    start = int(np.argmax(lags < 0))
    near = start + int(np.argmax(lags[start:] > 0.9 * lags[start:].max()))
    return float(SAMPLE_RATE_HZ / (near + np.argmax(lags[near : near + 30])))


def centre_hz(sound: Samples) -> float:
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)) / np.sum(power))


def test_the_same_voice_comes_out_exactly_the_latency_later() -> None:
    sound = noise(8000)
    np.testing.assert_allclose(convert(SAME, sound)[LATENCY:], sound[:-LATENCY], atol=1e-6)


def test_the_latency_is_the_least_for_any_cut() -> None:
    backend = VocoderBackend(SAME)
    sound = np.concatenate((np.zeros(4096, np.float32), noise(4096)))
    out = np.concatenate([backend.convert_chunk(sound[at : at + 1]) for at in range(len(sound))])
    np.testing.assert_allclose(out[LATENCY:], sound[:-LATENCY], atol=1e-6)
    assert LATENCY <= 0.030 * SAMPLE_RATE_HZ


@settings(max_examples=8)
@given(st.sampled_from(list(BUILTIN_VOICES.values())), st.lists(st.integers(0, 1500), max_size=10))
def test_the_cuts_make_no_difference(voice: BuiltinVoice, chunks: list[int]) -> None:
    sound = vowel(130.0, 6000)
    backend = VocoderBackend(voice)
    parts = [backend.convert_chunk(part) for part in np.split(sound, np.minimum(np.cumsum(chunks, dtype=int), 6000))]
    assert [len(part) for part in parts][:-1] == np.diff(np.minimum(np.cumsum([0, *chunks]), 6000)).tolist()
    np.testing.assert_array_equal(np.concatenate(parts), convert(voice, sound))


@pytest.mark.parametrize("semitones", [-12.0, -4.0, 4.0, 12.0])
@pytest.mark.parametrize("spoken_hz", [100.0, 220.0])
def test_the_pitch_is_as_told(semitones: float, spoken_hz: float) -> None:
    out = convert(BuiltinVoice("", "", semitones), vowel(spoken_hz, 18_000, formant_hz=spoken_hz))[5000:]
    assert pitch_hz(out) == pytest.approx(spoken_hz * 2 ** (semitones / 12), rel=0.005)


@pytest.mark.parametrize("semitones", [-5.0, 5.0])
def test_the_pitch_leaves_the_formants(semitones: float) -> None:
    sound = vowel(120.0, 18_000)
    out = convert(BuiltinVoice("", "", semitones), sound)[5000:]
    assert centre_hz(out) == pytest.approx(centre_hz(sound), rel=0.06)


@pytest.mark.parametrize("semitones", [-5.0, 5.0])
def test_the_formants_move_as_told_and_leave_the_pitch(semitones: float) -> None:
    sound = vowel(120.0, 18_000)
    out = convert(BuiltinVoice("", "", 0.0, semitones), sound)[5000:]
    assert centre_hz(out) == pytest.approx(centre_hz(sound) * 2 ** (semitones / 12), rel=0.06)
    assert pitch_hz(out) == pytest.approx(120.0, rel=0.01)


@pytest.mark.parametrize("semitones", [-5.0, 5.0])
def test_pulses_stay_pulses(semitones: float) -> None:
    """A vowel that starts in noise: its harmonics must find one phase again, or it sounds like a choir."""
    sound = vowel(110.0, 24_000)
    out = convert(BuiltinVoice("", "", semitones), np.concatenate((noise(5000), sound)))[-18_000:]
    crest = np.abs(sound).max() / np.sqrt(np.mean(sound**2))
    assert np.abs(out).max() / np.sqrt(np.mean(out**2)) > 0.8 * crest


def test_the_robot_has_one_note_whatever_it_hears() -> None:
    for spoken_hz in (90.0, 170.0, 260.0):
        assert pitch_hz(convert(ROBOT, vowel(spoken_hz, 18_000))[5000:]) == pytest.approx(ROBOT_PITCH_HZ, rel=0.01)


def test_the_robots_note_moves_with_its_pitch() -> None:
    octave_up = dataclasses.replace(ROBOT, pitch_semitones=12.0)
    out = convert(octave_up, vowel(90.0, 18_000))[5000:]
    assert pitch_hz(out) == pytest.approx(2 * ROBOT_PITCH_HZ, rel=0.01)


def test_the_whisper_has_no_note_but_the_vowel() -> None:
    sound = vowel(120.0, 24_000)
    out = convert(WHISPER, sound)[5000:]
    assert correlation(sound)[350:450].max() > 0.9
    assert correlation(out)[200:800].max() < 0.2
    assert centre_hz(out) == pytest.approx(centre_hz(sound) * 2 ** (WHISPER.formant_semitones / 12), rel=0.15)


@pytest.mark.parametrize("voice", BUILTIN_VOICES.values(), ids=lambda voice: voice.name)
def test_the_level_is_kept(voice: BuiltinVoice) -> None:
    sound = vowel(120.0, 24_000)
    assert level_db(convert(voice, sound)[5000:]) == pytest.approx(level_db(sound), abs=1.5)


@pytest.mark.parametrize("voice", BUILTIN_VOICES.values(), ids=lambda voice: voice.name)
def test_a_word_comes_out_the_latency_later(voice: BuiltinVoice) -> None:
    swell = np.hanning(9600) ** 2
    word = np.concatenate((np.zeros(5000), vowel(120.0, 9600) * swell, np.zeros(9000))).astype(np.float32)
    power_in, power_out = word.astype(np.float64) ** 2, convert(voice, word).astype(np.float64) ** 2
    index = np.arange(len(word))
    delay = np.dot(index, power_out) / power_out.sum() - np.dot(index, power_in) / power_in.sum()
    assert delay == pytest.approx(LATENCY, abs=0.008 * SAMPLE_RATE_HZ)


@pytest.mark.parametrize("voice", BUILTIN_VOICES.values(), ids=lambda voice: voice.name)
def test_silence_is_silence_from_the_start_and_after_a_word(voice: BuiltinVoice) -> None:
    backend = VocoderBackend(voice)
    assert not backend.convert_chunk(np.zeros(3000, np.float32)).any()
    backend.convert_chunk(noise(3000))
    backend.convert_chunk(np.zeros(4000, np.float32))
    assert not backend.convert_chunk(np.zeros(3000, np.float32)).any()


def test_initialize_starts_anew() -> None:
    backend = VocoderBackend(ROBOT)
    backend.convert_chunk(noise(1700))
    backend.initialize()
    np.testing.assert_array_equal(backend.convert_chunk(noise(3000)), convert(ROBOT, noise(3000)))


@pytest.mark.parametrize("voice", BUILTIN_VOICES.values(), ids=lambda voice: voice.name)
def test_the_loudest_and_the_softest_sound_stay_finite(voice: BuiltinVoice) -> None:
    for level in (999.0, 1e-20, 1e-38):
        assert np.isfinite(convert(voice, np.sign(noise(5000)) * np.float32(level))).all()


def test_with_context_it_begins_in_the_middle_of_a_word() -> None:
    sound = noise(9000)
    backend = VocoderBackend(SAME)
    backend.convert_chunk(noise(777))
    out = backend.convert_chunk(sound[5000:], context=sound[:5000])
    np.testing.assert_allclose(out, sound[5000 - LATENCY : 9000 - LATENCY], atol=1e-6)


def test_with_context_nothing_is_left_of_what_was_before() -> None:
    backend = VocoderBackend(BUILTIN_VOICES["deeper"])
    backend.convert_chunk(noise(5000))
    assert not backend.convert_chunk(np.zeros(3000, np.float32), context=np.zeros(100, np.float32)).any()


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_harmonics_stay_lines(semitones: float) -> None:
    """What trembles from frame to frame puts sound between them."""
    out = convert(BuiltinVoice("", "", semitones), vowel(200.0, 24_000))[5000:]
    power = np.abs(np.fft.rfft(out * np.blackman(len(out)))) ** 2
    orders = np.fft.rfftfreq(len(out), 1 / SAMPLE_RATE_HZ) / (200.0 * 2 ** (semitones / 12))
    near = np.abs(orders - np.rint(orders)) < 0.1
    assert 10 * np.log10(power[~near].sum() / power[near].sum()) < -32

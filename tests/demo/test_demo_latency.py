import numpy as np
import pytest

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.conversion.create import ConversionConfig, create_backend
from rwc_pw.demo.latency import latency_ms
from rwc_pw.pictures.spectrograms import HIGHEST_HZ, spectrogram_db


def syllables(seconds: float, carrier: np.ndarray) -> np.ndarray:
    """``carrier`` as loud as a few syllables are, with pauses before, between and after."""
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    loudness = sum(np.exp(-(((time_s - at) / width) ** 2)) for at, width in ((0.4, 0.1), (0.9, 0.05), (1.3, 0.15)))
    return (0.3 * loudness * carrier[: len(time_s)]).astype(np.float32)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, 2 * SAMPLE_RATE_HZ)


def voice(pitch_hz: float) -> np.ndarray:
    """A harmonic sound."""
    time_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    return sum(np.sin(2 * np.pi * pitch_hz * order * time_s) / order for order in range(1, 10))


@pytest.mark.parametrize("delay_samples", [0, 1500, 30_000])
def test_the_delay_of_a_sound_that_became_another_one(delay_samples):
    heard = np.concatenate((np.zeros(delay_samples), -0.2 * syllables(1.7, noise(2))))
    spoken = np.concatenate((syllables(1.7, voice(120)), np.zeros(delay_samples)))
    assert latency_ms(spoken, heard) == pytest.approx(delay_samples / 48, abs=2)


def test_the_delay_of_the_same_sound_is_exact():
    spoken = syllables(1.7, voice(120))
    heard = np.concatenate((np.zeros(1234, np.float32), spoken[:-1234]))
    assert latency_ms(spoken, heard) == pytest.approx(1234 / 48, abs=0.05)


@pytest.mark.parametrize("name", ["deeper", "brighter", "giant"])
def test_the_delay_of_a_converter_is_the_one_it_is_built_for(name):
    backend = create_backend(ConversionConfig(voice=name))
    backend.initialize()
    spoken = syllables(1.7, voice(120))
    assert latency_ms(spoken, backend.convert_chunk(spoken)) == pytest.approx(backend.latency_samples / 48, abs=2)


def test_silence_has_no_delay():
    sound, silence = syllables(1.7, voice(120)), np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    assert latency_ms(sound, silence) is None
    assert latency_ms(silence, sound) is None


def test_a_sine_of_full_scale_is_one_line_at_0_db():
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    levels_db = spectrogram_db(np.sin(2 * np.pi * 1500 * time_s).astype(np.float32))
    frequencies, times = levels_db.shape
    column = levels_db[:, times // 2]
    assert column.max() == pytest.approx(0, abs=0.1)
    assert column.argmax() * HIGHEST_HZ / frequencies == pytest.approx(1500, abs=15)
    assert np.median(column) < -90

"""The campaign's matched filter finds the real voice, and nothing else."""

import numpy as np
import pytest

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from tests.benchmarks.campaign.real_voice import HOP_SAMPLES, PERIOD_SAMPLES, find, is_loud, real_voice
from tests.benchmarks.campaign.schedule import SHARP
from tests.benchmarks.campaign.sharpness import converted

SAID = real_voice(2.0)


@pytest.fixture(scope="module", params=["silence", *SHARP])
def sound(request) -> np.ndarray:
    return np.zeros_like(SAID) if request.param == "silence" else converted(SAID, request.param)


def test_without_the_real_voice_nothing_is_found(sound):
    assert not find(sound).any()


@pytest.mark.parametrize("level_db", [0, -60])
def test_ten_milliseconds_of_the_real_voice_are_found_where_they_are_and_as_loud(sound, level_db):
    begin = 50_000
    mixed = sound.copy()
    mixed[begin : begin + PERIOD_SAMPLES] += SAID[777 : 777 + PERIOD_SAMPLES] * np.float32(10 ** (level_db / 20))
    level = find(mixed)
    found = np.flatnonzero(level) * HOP_SAMPLES
    assert begin - PERIOD_SAMPLES < found.min() <= begin <= found.max() < begin + PERIOD_SAMPLES
    assert 20 * np.log10(level.max()) == pytest.approx(level_db, abs=1.0)


def test_all_of_the_real_voice_is_found():
    assert find(SAID).all()


def test_clicks_and_noise_are_not_the_real_voice():
    sound = np.random.default_rng(1).uniform(-0.1, 0.1, 10 * SAMPLE_RATE_HZ).astype(np.float32)
    sound[::5000] = 1.0
    assert not find(sound).any()


def test_in_less_than_ten_milliseconds_nothing_is_found():
    assert not len(find(SAID[: PERIOD_SAMPLES - 1]))


def test_a_voice_is_loud_whether_it_is_real_or_not():
    assert is_loud(SAID).all()
    assert is_loud(converted(SAID, SHARP[0])[SAMPLE_RATE_HZ:]).all()
    assert not is_loud(np.zeros(SAMPLE_RATE_HZ, np.float32)).any()

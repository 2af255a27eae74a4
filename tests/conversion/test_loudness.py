import numpy as np
import pytest

from rwc_pw.conversion.effects.loudness import LoudnessMix

DELAY = 3000


def steady(level: float, count: int = 24_000) -> np.ndarray:
    return level * np.sin(np.arange(count) * 2 * np.pi / 480).astype(np.float32)


def mixed(it: LoudnessMix, heard: np.ndarray, said: np.ndarray, size: int = 4800) -> np.ndarray:
    cuts = range(0, len(said), size)
    loud = []
    for at in cuts:
        it.observe(heard[at : at + size])
        loud.append(it.process(said[at : at + size]))
    return np.concatenate(loud)


@pytest.mark.parametrize(("rate", "level"), [(1.0, 0.4), (0.5, 0.2), (0.0, 0.1)])
def test_the_rate_leads_from_the_speakers_loudness_to_the_voices_own(rate, level):
    loud = mixed(LoudnessMix(rate, DELAY), steady(0.1), steady(0.4))
    assert np.abs(loud[-4800:]).max() == pytest.approx(level, rel=0.01)


def test_the_speakers_loudness_is_that_of_the_moment_that_is_spoken():
    heard = steady(0.1, 48_000)
    heard[24_000:] *= 4
    loud = mixed(LoudnessMix(0.0, DELAY), heard, steady(0.2, 48_000))
    turn = 24_000 + DELAY
    assert np.abs(loud[turn - 480 : turn]).max() == pytest.approx(0.1, rel=0.02)
    assert np.abs(loud[turn + 1920 : turn + 2400]).max() == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize("size", [256, 1000])
def test_the_cuts_make_no_difference(size):
    heard, said = steady(0.1), steady(0.3) * np.linspace(0, 1, 24_000, dtype=np.float32)
    whole = mixed(LoudnessMix(0.3, DELAY), heard, said, 24_000)
    np.testing.assert_allclose(mixed(LoudnessMix(0.3, DELAY), heard, said, size), whole, atol=1e-6)


def test_another_rate_is_reached_without_a_step():
    it = LoudnessMix(1.0, DELAY)
    before = mixed(it, steady(0.1), steady(0.4))
    it.rate = 0.0
    heard = np.concatenate([before, mixed(it, steady(0.1), steady(0.4))])
    assert np.abs(np.diff(heard)).max() < 1.1 * np.abs(np.diff(steady(0.4))).max()
    assert np.abs(heard[-4800:]).max() == pytest.approx(0.1, rel=0.01)


def test_silence_stays_silence_and_a_whisper_is_not_raised_without_end():
    silence = np.zeros(24_000, np.float32)
    assert not mixed(LoudnessMix(0.0, DELAY), steady(0.5), silence).any()
    assert np.abs(mixed(LoudnessMix(0.0, DELAY), steady(0.5), steady(1e-6))).max() < 1e-3

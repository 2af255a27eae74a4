"""What is a voice, and what only sounds: noise, hum, whine, a constant."""

import numpy as np
import pytest

from rwc_pw.channels.voicing import QUIETEST_DB, RATE_HZ, WINDOW_SAMPLES, voicing

TIME_S = np.arange(WINDOW_SAMPLES) / RATE_HZ


def harmonics(pitch_hz: float, count: int = 15, level: float = 0.1) -> np.ndarray:
    sound = sum(np.sin(2 * np.pi * n * pitch_hz * TIME_S + n) / n for n in range(1, count + 1))
    return (level * sound).astype(np.float32)


def white(level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(1).standard_normal(WINDOW_SAMPLES)).astype(np.float32)


@pytest.mark.parametrize("pitch_hz", [85, 110, 170, 240, 320, 450])
@pytest.mark.parametrize("beside", [0.0, 0.02, 1.0], ids=["alone", "in noise", "on a constant"])
def test_a_voice_is_known_and_its_pitch(pitch_hz, beside):
    sound = harmonics(pitch_hz) + (1.0 if beside == 1.0 else white(beside))
    [found] = voicing(sound[None].astype(np.float32)).pitches_hz
    assert found == pytest.approx(pitch_hz, rel=0.05)


@pytest.mark.parametrize(
    "sound",
    [
        white(),
        np.cumsum(white()) / 10,
        harmonics(50, 7),
        harmonics(60, 7),
        np.sin(2 * np.pi * 50 * TIME_S),
        np.sin(2 * np.pi * 1000 * TIME_S),
        np.sin(2 * np.pi * 800 * TIME_S),
        np.full(WINDOW_SAMPLES, 0.9),
        np.eye(1, WINDOW_SAMPLES, 100)[0],
        np.zeros(WINDOW_SAMPLES),
    ],
    ids=["hiss", "rumble", "hum", "hum of 60 Hz", "pure hum", "whine", "whistle", "constant", "click", "silence"],
)
def test_what_is_no_voice_is_not_taken_for_one(sound):
    assert voicing(sound[None].astype(np.float32)).pitches_hz.tolist() == [0.0]


def test_every_channel_is_examined_alone():
    frames = np.stack([np.zeros(WINDOW_SAMPLES, np.float32), harmonics(170), white(), -harmonics(170)])
    found = voicing(frames)
    assert (found.pitches_hz > 0).tolist() == [False, True, False, True]
    assert found.levels_db[0] == QUIETEST_DB
    assert found.levels_db[1] == pytest.approx(found.levels_db[3])


def test_the_level_is_that_of_the_band_of_voices():
    loud, quiet = voicing(np.stack([harmonics(170, level=0.5), harmonics(170, level=0.05)])).levels_db
    assert loud - quiet == pytest.approx(20, abs=0.1)
    sine = np.sin(2 * np.pi * 500 * TIME_S)[None].astype(np.float32)
    assert voicing(sine).levels_db[0] == pytest.approx(-3, abs=0.2)
    constant = np.full((1, WINDOW_SAMPLES), 0.9, np.float32)
    assert voicing(constant).levels_db[0] == QUIETEST_DB

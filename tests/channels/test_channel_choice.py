"""Which of a microphone's channels is taken, and when that changes: on sound made here, as a whole."""

import numpy as np
import pytest

from rwc_pw.audio.samples import SAMPLE_RATE_HZ as RATE_HZ
from rwc_pw.channels.downmix import Downmix, Wanted
from rwc_pw.channels.options import MIX

BLOCK = 256


def speech(seconds: float, level: float = 0.2, seed: int = 1) -> np.ndarray:
    """Words of half a second and pauses of a fifth, of a pitch that moves."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    pitch_hz = rng.uniform(110, 220) * 1.2 ** np.sin(2 * np.pi * rng.uniform(0.6, 0.9) * time_s + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    sound = sum(np.sin(n * phase) / n for n in range(1, 20))
    return (level * sound * (time_s % 0.7 < 0.5)).astype(np.float32)


def steady(seconds: float, pitch_hz: float = 170.0, level: float = 0.2) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (level * sum(np.sin(2 * np.pi * n * pitch_hz * time_s) / n for n in range(1, 20))).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def hiss(seconds: float, level: float = 0.2) -> np.ndarray:
    return (level * np.random.default_rng(2).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def hum(seconds: float) -> np.ndarray:
    return steady(seconds, 100.0, 0.5)  # as of mains, rectified


def constant(seconds: float) -> np.ndarray:
    return np.full(round(seconds * RATE_HZ), 0.9, np.float32)


def whine(seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 1000 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def no_sound(seconds: float) -> np.ndarray:
    return np.resize([np.nan, np.inf, 1e30], round(seconds * RATE_HZ)).astype(np.float32)


def then(*sounds: np.ndarray) -> np.ndarray:
    return np.concatenate(sounds)


def taken(*channels: np.ndarray, block: int = BLOCK) -> tuple[np.ndarray, list[str]]:
    """What is made of these channels, and which was taken after each block."""
    downmix = Downmix()
    downmix.wanted = Wanted(channels=len(channels))
    frames = np.stack(channels, axis=1)
    heard, told = [], []
    for start in range(0, len(frames), block):
        heard.append(downmix.process(frames[start : start + block]))
        told.append(downmix.told)
    return np.concatenate(heard), told


def changes(told: list[str]) -> list[tuple[float, str]]:
    """When another channel was taken, in seconds, and which."""
    return [(n * BLOCK / RATE_HZ, channel) for n, channel in enumerate(told) if channel != (told[n - 1] if n else "")]


@pytest.mark.parametrize("sound", [speech, steady, hiss])
@pytest.mark.parametrize("channel", [0, 1, 17])
def test_one_microphone_among_many_channels_is_heard_as_it_is(sound, channel):
    said = 0.1 * sound(2.0)
    channels = [silence(2.0)] * 18
    channels[channel] = said
    heard, told = taken(*channels)
    np.testing.assert_array_equal(heard[RATE_HZ // 20 :], said[RATE_HZ // 20 :])
    assert told[-1] == str(channel + 1)


@pytest.mark.parametrize("sound", [speech, steady], ids=["speech", "a voice that never pauses"])
@pytest.mark.parametrize("unused", [hiss, hum, whine, constant, no_sound])
def test_an_unused_channel_that_is_hot_is_not_taken_for_the_voice(sound, unused):
    for before, after in (([unused(4.0)], []), ([], [unused(4.0)])):
        said = sound(4.0, level=0.02)
        _, told = taken(*before, said, *after)
        assert set(told[RATE_HZ // BLOCK :]) == {str(len(before) + 1)}


def test_of_a_channel_that_carries_no_sound_nothing_is_heard_once_another_is_taken():
    heard, told = taken(no_sound(1.0), speech(1.0))
    assert np.abs(heard[told.index("2") * BLOCK :]).max() < 1


def test_two_channels_in_opposite_phase_do_not_cancel():
    said = speech(2.0)
    heard, told = taken(said, -said)
    np.testing.assert_array_equal(heard, said)
    assert set(told[50:]) == {"1"}


def test_who_is_heard_in_both_channels_is_not_moved_between_them():
    _, told = taken(speech(10.0) + hiss(10.0, 0.001), speech(10.0) + 0.001 * speech(10.0, seed=5))
    assert len(changes(told)) == 1


def test_of_one_voice_in_many_channels_the_nearest_is_taken():
    said = speech(4.0)
    _, told = taken(said * 0.1, said * 0.3, said, said * 0.2)
    assert set(told[20:]) == {"3"}


def test_a_voice_that_turns_out_to_be_nearer_another_is_taken_from_there_in_a_pause():
    said = speech(8.0)
    _, told = taken(said * 0.2, then(silence(2.0), said[2 * RATE_HZ :]))
    (_, first), (when_s, second) = changes(told)
    assert (first, second) == ("1", "2")
    assert 0.5 < when_s % 0.7 < 0.7 + 1 / 64  # between two words


def test_what_else_is_heard_meanwhile_moves_nobody():
    clap = then(silence(3.1), hiss(0.3, 0.5), silence(4.6))
    shout = then(silence(4.1), speech(0.4, 0.9, seed=3), silence(3.5))
    noise = then(silence(5.0), hiss(3.0, 0.5))
    _, told = taken(clap, shout, speech(8.0), noise)
    assert {channel for _, channel in changes(told)} == {"3"}


@pytest.mark.parametrize("sound", [speech, steady])
def test_where_noise_has_taken_the_place_of_the_voice_the_voice_is_found(sound):
    _, told = taken(then(hiss(0.5, 0.0), sound(3.0, level=0.1)), then(speech(0.5), hiss(3.0, 0.5)))
    assert [channel for _, channel in changes(told)] == ["2", "1"]


def test_a_hum_is_not_taken_for_a_voice_however_long_nobody_speaks():
    _, told = taken(then(speech(4.0), silence(6.0)), then(silence(4.3), hum(5.7) * 0.1))
    assert {channel for _, channel in changes(told)} == {"1"}


def test_another_who_speaks_louder_at_the_same_time_is_not_taken_for_the_same_voice():
    """As on a channel on which the computer's own sound comes back."""
    _, told = taken(speech(20.0, 0.1), then(silence(2.0), speech(18.0, 0.5, seed=4)))
    assert {channel for _, channel in changes(told)} == {"1"}


def test_what_was_called_into_a_long_pause_does_not_end_it_later():
    _, told = taken(then(speech(4.0), silence(4.0)), then(silence(4.1), speech(0.4, 0.9, seed=3), silence(3.5)))
    assert {channel for _, channel in changes(told)} == {"1"}


def test_a_voice_that_is_heard_a_moment_earlier_in_another_channel_stays_where_it_is():
    first, second = speech(1.4), speech(2.0, seed=2)
    late = then(first, silence(2.04), second[: -RATE_HZ // 25])
    _, told = taken(late, 0.8 * then(first, silence(2.0), second))
    assert {channel for _, channel in changes(told)} == {"1"}


def test_a_voice_that_never_pauses_is_not_left_for_a_shout():
    _, told = taken(steady(8.0), then(silence(4.0), speech(0.5, 0.9), silence(3.5)))
    assert {channel for _, channel in changes(told)} == {"1"}


def test_who_changes_to_another_channel_is_found_there():
    _, told = taken(then(speech(4.0), silence(6.0)), silence(10.0), then(silence(4.0), speech(6.0, seed=2)))
    (_, first), (when_s, second) = changes(told)
    assert (first, second) == ("1", "3")
    assert 4.5 < when_s < 8.0


def test_two_who_have_both_spoken_for_long_are_heard_in_turn():
    ann = then(speech(20.0), silence(20.0), speech(5.0), silence(5.0))
    bob = then(silence(20.0), speech(20.0, seed=2), silence(5.0), speech(5.0, seed=2))
    _, told = taken(ann, bob)
    returns = [(when_s, channel) for when_s, channel in changes(told) if when_s > 40]
    assert [channel for _, channel in returns] == ["1", "2"]
    assert all(when_s - start_s < 1.5 for (when_s, _), start_s in zip(returns, (40, 45), strict=True))


def test_before_anybody_speaks_nothing_is_told_unless_something_is_heard():
    _, told = taken(silence(1.0), silence(1.0))
    assert set(told) == {""}
    _, told = taken(silence(1.0), hiss(1.0, 0.01))
    assert told[-1] == "2"


@pytest.mark.parametrize("block", [64, 256, 1000, 4096])
def test_a_change_is_neither_late_nor_a_click(block):
    said = speech(4.0)
    heard, _ = taken(hiss(4.0, 0.05), said, block=block)
    bends = np.abs(np.diff(heard[RATE_HZ // 2 :])).max()
    assert bends <= 1.05 * np.abs(np.diff(said)).max()
    np.testing.assert_array_equal(heard[RATE_HZ:], said[RATE_HZ:])


def faded(first: Wanted, second: Wanted, block: int = 100) -> np.ndarray:
    """What is heard of ones in channel 1 and minus ones in channel 2 while what is wanted changes, sample by sample."""
    downmix = Downmix()
    downmix.wanted = first
    frames = np.repeat([[1.0, -1.0]], 3000, axis=0).astype(np.float32)
    heard = [downmix.process(frames[start : start + block]) for start in range(0, 1500, block)]
    downmix.wanted = second
    heard += [downmix.process(frames[start : start + block]) for start in range(1500, 3000, block)]
    return np.concatenate(heard)


@pytest.mark.parametrize("block", [1, 100, 1500])
def test_another_choice_of_the_user_fades_in(block):
    heard = faded(Wanted("1", channels=2), Wanted("2", channels=2), block)
    assert heard[1000] == 1
    assert heard[-1] == -1
    assert np.abs(np.diff(heard[1000:])).max() < 0.005
    assert np.count_nonzero(np.abs(heard[1000:]) < 1) in (479, 480)


def test_a_mix_is_the_mean_of_what_there_is():
    assert faded(Wanted("1", channels=2), Wanted(MIX, channels=2))[-1] == 0
    assert faded(Wanted("1", channels=2), Wanted(MIX, channels=1))[-1] == 1
    assert faded(Wanted("1", channels=2), Wanted("7", channels=2))[-1] == 0  # there is no such channel


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted("2", channels=2), "2"),
        (Wanted(MIX, channels=2), "mix"),
        (Wanted(MIX, channels=1), ""),
        (Wanted(channels=1), ""),
    ],
)
def test_the_channel_is_told(wanted, told):
    downmix = Downmix()
    downmix.wanted = wanted
    downmix.process(np.ones((100, 2), np.float32))
    assert downmix.told == told


def test_another_microphone_is_judged_anew():
    downmix = Downmix()
    frames = np.stack([silence(1.0), speech(1.0)], axis=1)
    downmix.wanted = Wanted(microphone=(5, 50), channels=2)
    downmix.process(frames)
    assert (downmix.told, downmix.likeliest) == ("2", 1)
    downmix.wanted = Wanted(microphone=(6, 60), channels=2)
    assert (downmix.told, downmix.likeliest) == ("", 0)
    downmix.process(frames[:, ::-1])
    assert downmix.told == "1"


def test_after_a_rest_the_channel_is_kept_but_soon_given_up():
    downmix = Downmix()
    downmix.wanted = Wanted(channels=2)
    downmix.process(np.stack([silence(20.0), speech(20.0)], axis=1))
    downmix.rest()
    assert downmix.told == "2"
    downmix.process(np.stack([speech(0.9), silence(0.9)], axis=1))
    assert downmix.told == "2"
    downmix.process(np.stack([speech(0.7), silence(0.7)], axis=1))
    assert downmix.told == "1"

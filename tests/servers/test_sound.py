import numpy as np
import pytest

from rwc_pw.headless.session import MICROPHONE, HeadlessPipeWire
from tests.servers.sound import PairRecorder, Player, connect, delay_samples, dominant_hz, record_pair, tone

MICROPHONE_PORT = f"{MICROPHONE}:capture_MONO"


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.1, 48000).astype(np.float32)


def test_the_delay_is_found_to_the_sample_and_where_it_changes(noise):
    heard = np.concatenate((np.zeros(1234, np.float32), noise[:24000], np.zeros(3, np.float32), noise[24000:]))
    assert delay_samples(noise, heard, 4800).tolist() == [1234.0] * 5 + [1237.0] * 5


def test_a_window_that_was_lost_or_is_silent_has_no_delay(noise):
    reference = noise.copy()
    reference[4800:9600] = 0
    heard = reference.copy()
    heard[9600:14400] = np.random.default_rng(8).normal(0, 0.1, 4800)
    delays = delay_samples(reference, heard, 4800, longest=480)
    assert np.isnan(delays).nonzero()[0].tolist() == [1, 2]
    assert set(delays[[0, *range(3, 9)]].tolist()) == {0.0}


def test_the_dominant_frequency(noise):
    assert dominant_hz(tone(440, 1.0) + noise[:48000], 48000) == pytest.approx(440, abs=1)


def test_every_sample_that_is_played_is_heard_once_and_in_order(start_headless, noise):
    headless = start_headless(quantum=2048)  # on a busy machine shorter cycles may be missed
    with PairRecorder(headless, MICROPHONE_PORT, MICROPHONE_PORT) as recorder:
        with Player(headless, noise) as player:
            player.wait()
        left, right = recorder.frames().T
    assert np.array_equal(left, right)
    first = int(delay_samples(noise, left, 4800)[0])
    assert np.array_equal(left[first : first + 40000], noise[:40000])


def test_a_recording_lasts_as_long_as_asked(headless: HeadlessPipeWire):
    with Player(headless, tone(440, 5.0)):
        pair = record_pair(headless, MICROPHONE_PORT, MICROPHONE_PORT, seconds=0.5)
    assert pair.shape == (24000, 2)
    assert pair.dtype == np.float32
    assert dominant_hz(pair[:, 0], 48000) == pytest.approx(440, abs=4)


def test_a_second_node_is_heard_a_whole_number_of_quanta_later(voiced: HeadlessPipeWire, noise):
    connect(voiced, MICROPHONE_PORT, "rwc_voice:input_MONO")
    with Player(voiced, np.tile(noise, 3)) as player:
        pair = record_pair(voiced, MICROPHONE_PORT, "rwc_voice:capture_MONO", until=player.wait)
    delays = delay_samples(pair[:96000, 0], pair[:, 1], 9600, longest=4800)
    assert len(set(delays.tolist())) == 1
    assert delays[0] in (0, 256, 512)

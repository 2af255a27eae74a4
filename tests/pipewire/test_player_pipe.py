import os
from collections.abc import Iterator

import numpy as np
import pytest

from rwc_pw.pipewire.player_pipe import SAMPLE_BYTES, PlayerPipe

PAGE_SAMPLES = 1024


class Player:
    """Reads from the pipe when it is told to."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe2(os.O_NONBLOCK)
        self.pipe = PlayerPipe(self.write_fd, self.read_fd)

    def read(self, samples: int) -> list[float]:
        return np.frombuffer(os.read(self.read_fd, samples * SAMPLE_BYTES), np.float32).tolist()


@pytest.fixture
def player() -> Iterator[Player]:
    it = Player()
    yield it
    os.close(it.read_fd)
    os.close(it.write_fd)


def ramp(samples: int) -> np.ndarray:
    return np.arange(samples, dtype=np.float32)


def test_what_was_written_is_taken_once_the_player_has_read_it(player):
    assert player.pipe.write(ramp(300)) == 300
    assert (player.pipe.queued_samples(), player.pipe.taken_samples) == (300, 0)
    assert player.read(100) == ramp(100).tolist()
    assert (player.pipe.queued_samples(), player.pipe.taken_samples) == (200, 100)
    assert player.pipe.write(ramp(50)) == 50
    assert (player.pipe.queued_samples(), player.pipe.taken_samples) == (250, 100)


def test_only_what_there_is_room_for_counts_as_written(player):
    player.pipe.fill_with_silence()
    assert player.pipe.write(ramp(10)) == 0
    assert player.pipe.taken_samples == 0
    player.read(PAGE_SAMPLES)
    assert player.pipe.write(ramp(2 * PAGE_SAMPLES)) == PAGE_SAMPLES
    assert player.pipe.taken_samples == PAGE_SAMPLES


def test_what_is_taken_back_was_never_taken(player):
    player.pipe.write(ramp(300))
    player.read(100)
    player.pipe.leave(50)
    assert (player.pipe.queued_samples(), player.pipe.taken_samples) == (50, 100)
    player.pipe.leave(80)
    assert player.pipe.queued_samples() == 50
    player.read(50)
    assert player.pipe.taken_samples == 150

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rwc_pw.audio.declick import BEND_SAMPLES
from rwc_pw.audio.samples import SAMPLE_BYTES
from rwc_pw.pipewire.playback import Playback
from rwc_pw.pipewire.player_pipe import PlayerPipe
from rwc_pw.pipewire.playout import OBSERVATIONS, PlayoutQueue

BLOCK = 256
PIPE_SAMPLES = 4096
LOUD = np.full(BLOCK, 0.5, np.float32)


@dataclass(frozen=True)
class Played:
    """A playback, and the end of its pipe that the player has."""

    playback: Playback
    queue: PlayoutQueue
    pipe: PlayerPipe
    read_fd: int

    def take(self, samples: int = BLOCK) -> np.ndarray:
        """Read as the player does."""
        return np.frombuffer(os.read(self.read_fd, samples * SAMPLE_BYTES), np.float32)


@pytest.fixture
def played() -> Iterator[Played]:
    """A stream has begun: a block of silence waits."""
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, PIPE_SAMPLES * SAMPLE_BYTES)
    pipe, queue = PlayerPipe(write_fd, read_fd), PlayoutQueue()
    queue.set_block(BLOCK)
    playback = Playback(pipe, queue)
    playback.rest()
    playback.begin()
    yield Played(playback, queue, pipe, read_fd)
    os.close(read_fd)
    os.close(write_fd)


def test_a_stream_begins_with_a_block_of_silence(played):
    played.playback.play(LOUD)
    heard = played.take(PIPE_SAMPLES)
    assert len(heard) == 2 * BLOCK
    assert not heard[:BLOCK].any()
    assert_array_equal(heard[BLOCK + BEND_SAMPLES :], LOUD[BEND_SAMPLES:])


def test_the_first_look_leaves_a_block_and_the_next_ones_nothing_less(played):
    played.playback.play(LOUD)
    played.playback.look()
    assert played.pipe.queued_samples() == BLOCK
    played.playback.play(LOUD)
    played.playback.look()
    assert played.pipe.queued_samples() == 2 * BLOCK


def cycles(played: Played, number: int) -> None:
    """Play a block in each cycle, and let the player take one."""
    for _ in range(number):
        played.playback.play(LOUD)
        played.take()
        played.playback.look()


def test_what_waits_for_long_is_skipped_counted_and_joined_without_a_click(played):
    cycles(played, 1)
    played.playback.play(LOUD)  # two at once, and then one at a time
    cycles(played, OBSERVATIONS - 1)
    assert (played.playback.skipped_samples, played.pipe.queued_samples()) == (0, 2 * BLOCK)
    cycles(played, 1)
    played.playback.play(-LOUD)
    assert (played.playback.skipped_samples, played.pipe.queued_samples()) == (BLOCK, 2 * BLOCK)
    played.playback.play(-LOUD)
    assert steepest(played.take(PIPE_SAMPLES)) < 0.1


def test_what_lacks_for_long_is_silence(played):
    cycles(played, 1)
    played.take()
    cycles(played, OBSERVATIONS)
    assert played.pipe.queued_samples() == 0
    played.playback.play(LOUD)
    assert not played.take()[BEND_SAMPLES:].any()
    assert len(played.take()) == BLOCK


def test_what_there_is_no_room_for_is_counted_and_the_next_block_joined_without_a_click(played):
    played.pipe.fill_with_silence()
    played.queue.set_block(PIPE_SAMPLES // 2)  # a full pipe is no more than jitter
    played.playback.play(LOUD)
    assert played.playback.skipped_samples == BLOCK
    played.pipe.leave(0)
    played.playback.play(-LOUD)
    assert played.take()[0] > 0  # it is bent to meet the loud one


@pytest.mark.parametrize("is_told", [True, False])
def test_blocks_that_are_not_contiguous_are_joined_without_a_click(played, is_told):
    played.playback.play(LOUD)
    if is_told:
        played.playback.break_off()
    played.playback.play(-LOUD)
    assert (steepest(played.take(PIPE_SAMPLES)) < 0.1) == is_told


def test_at_rest_nothing_but_silence_waits_and_the_next_block_follows_it(played):
    played.playback.play(LOUD)
    played.playback.rest()
    assert not played.take(PIPE_SAMPLES).any()
    played.playback.play(LOUD)
    assert played.take()[0] == 0


def steepest(heard: np.ndarray) -> float:
    return float(np.abs(np.diff(heard)).max())

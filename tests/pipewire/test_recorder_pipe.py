import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.channels.downmix import Downmix, Wanted
from rwc_pw.pipewire.recorder_pipe import MOST_PIPE_BYTES, PIPE_BYTES, RecorderPipe, pipe_bytes

FRAMES = np.arange(1, 7, dtype=np.float32).reshape(3, 2) / 8


@dataclass(frozen=True)
class Recorded:
    """A pipe of two channels, the second of which is wanted, and the end that the recorder has."""

    pipe: RecorderPipe
    write_fd: int
    downmix: Downmix

    def after(self, data: bytes) -> np.ndarray | None:
        os.write(self.write_fd, data)
        return self.pipe.read()


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    read_fd, write_fd = os.pipe()
    downmix = Downmix()
    downmix.wanted = Wanted(asked="2", channels=2)
    downmix.process(np.zeros((SAMPLE_RATE_HZ, 2), np.float32))  # it fades to the wanted channel
    yield Recorded(RecorderPipe(read_fd, 2, downmix), write_fd, downmix)
    os.close(read_fd)
    os.close(write_fd)


def test_each_frame_becomes_the_sample_that_is_wanted(recorded):
    assert_array_equal(recorded.after(FRAMES.tobytes()), FRAMES[:, 1])


@pytest.mark.parametrize("cut", range(FRAMES.nbytes + 1))
def test_a_frame_that_arrives_in_two_parts_is_whole_again(recorded, cut):
    data = FRAMES.tobytes() + FRAMES.tobytes()
    heard = [recorded.after(part) for part in (data[:cut], data[cut:]) if part]
    assert_array_equal(np.concatenate(heard), np.concatenate([FRAMES, FRAMES])[:, 1])


def test_less_than_a_frame_is_no_sample(recorded):
    assert len(recorded.after(bytes(7))) == 0


def test_after_a_rest_a_frame_begins_anew_and_what_the_microphone_said_is_forgotten(recorded, monkeypatch):
    rested = []
    monkeypatch.setattr(recorded.downmix, "rest", lambda: rested.append(True))
    recorded.after(FRAMES.tobytes()[:-1])
    recorded.pipe.rest()
    assert_array_equal(recorded.after(FRAMES.tobytes()), FRAMES[:, 1])
    assert rested == [True]


def test_the_end_of_the_recorder_is_told(recorded):
    recorded.after(bytes(3))
    end = os.open(os.devnull, os.O_WRONLY)
    os.dup2(end, recorded.write_fd)  # closes the last end that could write
    os.close(end)
    assert recorded.pipe.read() is None


def test_all_that_a_full_pipe_holds_arrives_at_once(recorded):
    fcntl.fcntl(recorded.write_fd, fcntl.F_SETPIPE_SZ, pipe_bytes(2))
    assert recorded.after(bytes(pipe_bytes(2))).nbytes == PIPE_BYTES


def test_a_pipe_is_as_large_as_its_channels_want_and_users_may_have():
    assert (pipe_bytes(1), pipe_bytes(2), pipe_bytes(64)) == (PIPE_BYTES, 2 * PIPE_BYTES, MOST_PIPE_BYTES)

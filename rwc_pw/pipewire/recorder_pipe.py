"""The pipe from the recorder, a pw-cat."""

import os

import numpy as np

from rwc_pw.audio.samples import SAMPLE_BYTES, Samples
from rwc_pw.channels.downmix import Downmix

PIPE_BYTES = 65536  # for one channel
MOST_PIPE_BYTES = 1 << 20  # that users may have


def pipe_bytes(channels: int) -> int:
    """Capacity of a pipe for so many channels."""
    return min(channels * PIPE_BYTES, MOST_PIPE_BYTES)


class RecorderPipe:
    """Frames of float32 samples from the recorder, of each of which one sample is made."""

    def __init__(self, read_fd: int, channels: int, downmix: Downmix) -> None:
        """Read ``channels`` channels, of which ``downmix`` makes one. The owner of ``read_fd`` closes it."""
        self.read_fd = read_fd
        self._channels = channels
        self._downmix = downmix
        self._partial = b""  # of a frame whose end has not arrived

    def read(self) -> Samples | None:
        """Wait for the next frames and return them as mono sound, (n,) float32; None if the recorder has ended."""
        if not (arrived := os.read(self.read_fd, pipe_bytes(self._channels))):
            return None
        data = self._partial + arrived
        frame_bytes = SAMPLE_BYTES * self._channels
        whole = len(data) // frame_bytes * frame_bytes
        self._partial = data[whole:]
        return self._downmix.process(np.frombuffer(data[:whole], np.float32).reshape(-1, self._channels))

    def rest(self) -> None:
        """Forget what the last frames were: the next come after a while."""
        self._downmix.rest()
        self._partial = b""

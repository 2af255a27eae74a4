"""The pipe to the player, a pw-cat."""

import array
import contextlib
import fcntl
import os
import termios

from rwc_pw.audio.samples import SAMPLE_BYTES, Samples

SILENT_PAGE = bytes(4096)  # the unit in which the kernel frees pipe space


class PlayerPipe:
    """Mono float32 samples that wait for the player, some of which can be taken back."""

    def __init__(self, write_fd: int, drain_fd: int) -> None:
        """``drain_fd`` is the end that the player has, too. Both must be non-blocking; their owner closes them."""
        self.write_fd = write_fd
        self._drain_fd = drain_fd
        self._written_samples = 0  # and not taken back

    @property
    def taken_samples(self) -> int:
        """Samples that the player has read, silence included."""
        return self._written_samples - self.queued_samples()

    def queued_samples(self) -> int:
        """Samples that wait for the player."""
        queued = array.array("i", [0])
        fcntl.ioctl(self.write_fd, termios.FIONREAD, queued)
        return queued[0] // SAMPLE_BYTES

    def write(self, samples: Samples) -> int:
        """Add samples, (n,) float32; return how many there was room for."""
        try:
            written = os.write(self.write_fd, samples.tobytes()) // SAMPLE_BYTES
        except BlockingIOError:
            written = 0
        self._written_samples += written
        return written

    def fill_with_silence(self) -> None:
        """Add silence until the pipe is full: only then does the kernel tell when the player reads."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._written_samples += os.write(self.write_fd, SILENT_PAGE) // SAMPLE_BYTES

    def leave(self, samples: int) -> None:
        """Take back what waits for the player, except for ``samples`` samples."""
        if (surplus := self.queued_samples() - samples) > 0:
            with contextlib.suppress(BlockingIOError):  # the player was quicker
                self._written_samples -= len(os.read(self._drain_fd, surplus * SAMPLE_BYTES)) // SAMPLE_BYTES

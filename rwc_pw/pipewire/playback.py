"""Plays block after block, each before the one before it has been played to its end."""

import numpy as np

from rwc_pw.audio.declick import Declick
from rwc_pw.audio.samples import Samples
from rwc_pw.pipewire.player_pipe import PlayerPipe
from rwc_pw.pipewire.playout import PlayoutQueue


class Playback:
    """Keeps one block waiting in the player's pipe, and joins what is not contiguous without a click."""

    def __init__(self, pipe: PlayerPipe, queue: PlayoutQueue) -> None:
        """``queue`` knows the length of a block."""
        self.skipped_samples = 0
        """Skipped because the player had fallen behind."""
        self._pipe = pipe
        self._queue = queue
        self._declick = Declick()
        self._is_first_cycle = False

    def begin(self) -> None:
        """Leave one block of the silence that waits: a stream begins."""
        self._is_first_cycle = True
        self._pipe.leave(self._queue.block_samples)

    def play(self, samples: Samples) -> None:
        """Play the next block, (n,) float32; NaN is silence."""
        correction = self._queue.correction(self._pipe.queued_samples(), len(samples))
        if correction > 0:
            self.skipped_samples += correction
            samples = samples[correction:]
            self._declick.break_off()
        elif correction < 0:
            samples = np.concatenate([np.full(-correction, np.nan, np.float32), samples])
        self._write(self._declick.process(samples))

    def break_off(self) -> None:
        """The next block is not contiguous with the last one."""
        self._declick.break_off()

    def look(self) -> None:
        """See how much waits midway between two cycles."""
        if self._is_first_cycle:
            self._is_first_cycle = False
            self._pipe.leave(self._queue.block_samples)  # what is removed is silence from before the stream
        self._queue.observe(self._pipe.queued_samples())

    def rest(self) -> None:
        """Let nothing but silence wait, and the next block follow silence."""
        self._declick = Declick()
        self._pipe.leave(0)
        self._pipe.fill_with_silence()

    def _write(self, samples: Samples) -> None:
        written = self._pipe.write(samples)
        if written < len(samples):
            self.skipped_samples += len(samples) - written
            self._declick.break_off()

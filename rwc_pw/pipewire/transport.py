"""Carries raw PCM from the recorder's pipe through the pipeline into the player's pipe."""

import logging
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.pipewire.block_length import BlockLength
from rwc_pw.pipewire.playback import Playback
from rwc_pw.pipewire.player_pipe import PlayerPipe
from rwc_pw.pipewire.playout import PlayoutQueue
from rwc_pw.pipewire.recorder_pipe import RecorderPipe
from rwc_pw.streaming.conversion_times import PATIENCE
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.system.priority import raise_priority

IDLE_S = 0.1  # without samples for this long, and for IDLE_BLOCKS: the graph is idle, or there is no microphone
IDLE_BLOCKS = 4
GRAPH_CYCLES = 1  # from the player's buffer to the app; measured on 0.3.65 and 1.4.2

log = logging.getLogger(__name__)


def least_latency_samples(quantum: int) -> int:
    """From the microphone to us and from us to the app, with the usual reserve of one block."""
    return (GRAPH_CYCLES + 1) * quantum


@dataclass(frozen=True)
class Levels:
    """The loudest samples, full scale 1."""

    captured: float = 0.0
    played: float = 0.0


class Transport:
    """One thread between two pipes.

    For every captured block, it plays one of the same length, before the block's time is over, so nothing
    ever queues up behind a slow converter.
    """

    def __init__(
        self,
        recorder: RecorderPipe,
        player: PlayerPipe,
        pipeline: StreamingPipeline,
        on_failure: Callable[[], object],
    ) -> None:
        """``on_failure`` is called in the thread when it can no longer carry sound."""
        self.captured_samples = 0
        self.is_flowing = False
        self.pipeline: StreamingPipeline
        """The pipeline that converts; it may be replaced while sound flows."""
        self._levels = Levels()
        self._recorder = recorder
        self._player = player
        self._queue = PlayoutQueue()
        self._playback = Playback(player, self._queue)
        self._stop_fd = os.eventfd(0)
        self.pipeline = self._carried_through = pipeline
        self._on_failure = on_failure
        self._block = BlockLength()
        self._is_mid_cycle = False
        self._thread = threading.Thread(target=self._run_or_fail, name="transport", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the pipes stay open."""
        os.eventfd_write(self._stop_fd, 1)
        self._thread.join()
        os.close(self._stop_fd)

    @property
    def latency_samples(self) -> int:
        """From the microphone to us and from us to the app, in samples."""
        return GRAPH_CYCLES * self._queue.block_samples + self._queue.reserve_samples

    @property
    def skipped_samples(self) -> int:
        """Samples that were skipped because the player had fallen behind."""
        return self._playback.skipped_samples

    @property
    def taken_samples(self) -> int:
        """Samples that the player has read, silence included."""
        return self._player.taken_samples

    def take_levels(self) -> Levels:
        """The loudest samples since the last call."""
        levels, self._levels = self._levels, Levels()
        return levels

    def _run_or_fail(self) -> None:
        try:
            self._run()
        except Exception:  # the thread's boundary: if it ended unnoticed, there would be silence without a reason
            log.exception("sound is carried no more")
            self._on_failure()

    def _run(self) -> None:
        raise_priority()
        self._fall_idle()
        while True:
            arrived, player_took_silence = self._wait()
            if self._stop_fd in arrived:
                return
            if arrived:
                if (captured := self._recorder.read()) is None:
                    return  # the recorder has ended, which the node manager also notices
                self._carry(captured)
            elif player_took_silence:
                self._player.fill_with_silence()
            elif self._is_mid_cycle:
                self._is_mid_cycle = False
                self._playback.look()
            else:
                self._fall_idle()

    def _wait(self) -> tuple[list[int], list[int]]:
        """Bytes that have arrived, and whether the player reads while idle; neither after a timeout."""
        watched = [self._recorder.read_fd, self._stop_fd]
        if not self.is_flowing:
            arrived, took, _ = select.select(watched, [self._player.write_fd], [])
            return arrived, took
        blocks = 0.5 if self._is_mid_cycle else IDLE_BLOCKS
        least_s = 0.0 if self._is_mid_cycle else IDLE_S
        arrived, _, _ = select.select(
            watched, [], [], max(least_s, blocks * self._queue.block_samples / SAMPLE_RATE_HZ)
        )
        return arrived, []

    def _carry(self, captured: Samples) -> None:
        if not len(captured):
            return
        self.captured_samples += len(captured)
        self._note_block_length(len(captured))
        if (pipeline := self.pipeline) is not self._carried_through:
            self._carried_through = pipeline
            self._playback.break_off()
        pipeline.process_input(captured)
        patience_s = PATIENCE * self._queue.block_samples / SAMPLE_RATE_HZ  # even if several blocks arrive as one
        converted = pipeline.get_output(len(captured), patience_s)
        self._levels = Levels(
            captured=max(self._levels.captured, float(np.abs(captured).max())),
            played=max(self._levels.played, float(np.abs(converted).max())),
        )
        self._playback.play(converted)
        self._is_mid_cycle = True

    def _note_block_length(self, samples: int) -> None:
        is_another = self._block.observe(samples)
        if self._block.usual != self._queue.block_samples:
            self._queue.set_block(self._block.usual)
        if is_another:
            self.pipeline.change_block(self._block.usual)
        if not self.is_flowing:
            self.is_flowing = True
            self._playback.begin()

    def _fall_idle(self) -> None:
        """Nothing arrives any more: nobody listens, or there is no microphone. Discard this stream's state.

        A pw-cat blocked on an empty pipe no longer answers PipeWire, and the graph would never start again.
        So fill the pipe with silence for it to read.
        """
        self.is_flowing = False
        self.pipeline.reset()
        self._recorder.rest()
        self._block = BlockLength()
        self._playback.rest()

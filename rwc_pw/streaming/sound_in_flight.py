"""Sound between two threads: one captures and plays, the other converts."""

import threading
from collections.abc import Callable

import numpy as np

from rwc_pw.audio.samples import Samples
from rwc_pw.streaming.buffers import BufferConfig, BufferHealth, BufferManager
from rwc_pw.streaming.conversion_times import ConversionTimes
from rwc_pw.streaming.converter_slot import Work
from rwc_pw.streaming.delay import Delay

PAUSE_CHUNKS = 2  # of silence: no other sound is in flight
CONTEXT_SAMPLES = 8192  # 170 ms of the past, given to a converter that takes over


class SoundInFlight:
    """Sound that waits for the converter, and converted sound that waits to be played, under one lock."""

    def __init__(self, config: BufferConfig) -> None:
        self._buffers = BufferManager(config)
        self._delay = Delay(self._buffers)
        lock = threading.Lock()
        self._input_written = threading.Condition(lock)
        self._output_written = threading.Condition(lock)
        self._is_closed = False
        self._history = np.zeros(0, np.float32)
        self._begins = True  # the next chunk begins a stream
        self._silent_chunks = 1  # since the last sound; one before there is any

    @property
    def chunk_size(self) -> int:
        """Samples per conversion."""
        return self._buffers.config.chunk_size

    @property
    def delay_samples(self) -> int:
        """Delay of the output behind the input, without the converter's own."""
        return self._buffers.delay_samples

    @property
    def is_silent(self) -> bool:
        """Return whether the last converted chunk is silent, or there is none yet."""
        return self._silent_chunks > 0

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._input_written:
            self._is_closed = True
            self._notify_all()

    def write_input(self, audio: Samples) -> None:
        """Append captured sound, (n,) float32; when full, the oldest is dropped and counted."""
        with self._input_written:
            self._buffers.write_input(audio)
            self._delay.align()
            self._input_written.notify()

    def read_output(self, size: int, times: ConversionTimes, timeout_s: float) -> Samples:
        """The next ``size`` converted samples, (size,), with silence for those that come later than ``timeout_s``."""
        with self._output_written:
            self._delay.lengthen(size, times, is_pause=self._silent_chunks >= PAUSE_CHUNKS)
            surplus = self._delay.surplus(times)
            self._output_written.wait_for(
                lambda: self._is_closed or not self._buffers.is_due(size + surplus), timeout_s
            )
            self._delay.shorten(surplus, size)
            return self._buffers.read_output(size)

    def change_block(self, block_samples: int) -> None:
        """Let the delay be no longer than blocks of this size take, which come from now on."""
        with self._input_written:
            self._delay.change_block(block_samples)

    def reset(self) -> None:
        """Discard all of it; the next block begins a new stream."""
        with self._input_written:
            self._buffers.reset()
            self._delay.reset()
            self._history = np.zeros(0, np.float32)
            self._begins = True
            self._silent_chunks = 1
            self._notify_all()

    def wait_for_silence(self, timeout_s: float) -> None:
        """Wait until no converted sound is on its way, all is closed, or the time is up."""
        with self._output_written:
            self._output_written.wait_for(lambda: self._is_closed or self.is_silent, timeout_s)

    def wait_for_work(self, is_due: Callable[[], bool]) -> bool:
        """Wait for a whole chunk, or between two streams for ``is_due()``; False once closed.

        ``look_again`` has it called anew.
        """
        with self._input_written:
            self._input_written.wait_for(
                lambda: self._is_closed or self._buffers.has_chunk or (self._begins and is_due())
            )
            return not self._is_closed

    def look_again(self) -> None:
        """Let ``wait_for_work`` ask again what is due."""
        with self._input_written:
            self._input_written.notify_all()

    def take_work(self) -> Work | None:
        """The next chunk to convert, or None if there is none; ``write_output`` must follow."""
        with self._input_written:
            chunk = self._buffers.read_chunk_for_processing()
            if chunk is None:
                return None
            work = Work(chunk, self._history, self._begins)
            self._history = np.concatenate([self._history, chunk])[-CONTEXT_SAMPLES:]
            self._begins = False
            return work

    def leave_out(self, chunk: Samples) -> None:
        """Let ``chunk``, just taken, be no context of those that follow: the next one begins a stream."""
        with self._input_written:
            self._history[-len(chunk) :] = 0.0
            self._begins = True

    def write_output(self, converted: Samples | None, *, is_silent: bool) -> None:
        """Append a converted chunk, (chunk_size,); None, after a failure, means silence."""
        with self._output_written:
            self._silent_chunks = self._silent_chunks + 1 if is_silent or self._begins else 0
            self._buffers.write_output(converted)
            self._output_written.notify_all()

    def health(self) -> BufferHealth:
        """Samples buffered and samples lost."""
        with self._input_written:
            return self._buffers.get_buffer_health()

    def _notify_all(self) -> None:
        self._input_written.notify_all()
        self._output_written.notify_all()

"""Carries sound through a converter that runs in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rwc_pw.errors import ConversionError
from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, ConversionBackend, Samples, milliseconds
from rwc_pw.streaming.buffers import BufferConfig, BufferHealth, BufferManager
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.streaming.conversion_times import ConversionTimes
from rwc_pw.streaming.crossfade import crossfade
from rwc_pw.streaming.priority import raise_priority

METRICS_INTERVAL_S = 0.5
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0
STOP_TIMEOUT_S = 2.0
PAUSE_CHUNKS = 2  # of silence: nothing else waits to be heard
WORTH_A_GAP = 20  # of a chunk, one part in so many: the least by which the delay grows while somebody speaks
CONTEXT_SAMPLES = 8192  # 170 ms: what a converter that takes over is told of the past

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineMetrics:
    """What the pipeline measured."""

    processing_time_ms: float
    """How long the last chunk took to convert."""
    total_latency_ms: float
    """From ``process_input`` to ``get_output``, counted in samples; the algorithm's share included."""
    real_time_factor: float
    """How long conversions take over how long their chunks last, the median of the last ones; above 1 none keeps up."""
    chunks_processed: int
    dropped_ms: float
    late_ms: float
    buffer_health: BufferHealth
    error: str
    """Why silence stands for the converted voice now; empty while all is well."""


@dataclass(frozen=True)
class _Work:
    chunk: Samples
    history: Samples
    """What was captured right before."""
    begins: bool
    """Whether it begins a stream: the converter carries nothing that belongs to it."""


class StreamingPipeline:
    """``process_input`` takes the microphone's sound, ``get_output`` gives as much converted sound.

    Whatever goes wrong in the converter, the output is silence and ``PipelineMetrics.error`` says
    why; the converter is initialised again after a pause that doubles with each failure.
    """

    def __init__(
        self,
        backend: ConversionBackend,
        buffer_config: BufferConfig,
        on_metrics_update: Callable[[PipelineMetrics], None] | None = None,
        times: ConversionTimes | None = None,
    ) -> None:
        """``times`` are those that were measured on a converter which is initialised."""
        self.times = times or ConversionTimes(buffer_config.chunk_size)
        self._backend = backend
        self._buffers = BufferManager(buffer_config)
        self._on_metrics_update = on_metrics_update
        lock = threading.Lock()
        self._input_written = threading.Condition(lock)
        self._output_written = threading.Condition(lock)
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._successor: ConversionBackend | None = None
        self._replaced: ConversionBackend | None = None
        self._history = np.zeros(0, np.float32)
        self._begins = True  # the next chunk begins a stream
        self._held_back_samples: int | None = None  # in this stream: room for a converter that takes long
        self._late_samples = 0  # when it was decided
        self._silent_chunks = 1  # converted since there was sound; before there is any, one
        self._error = ""
        self._retry_pause_s = FIRST_RETRY_S
        self._retry_at_s = 0.0
        self._chunks_processed = 0
        self._published_at_s = 0.0

    @property
    def chunk_size(self) -> int:
        """Samples of one conversion."""
        return self._buffers.config.chunk_size

    @property
    def is_silent(self) -> bool:
        """Whether what was converted last is silence, or nothing was yet."""
        return self._silent_chunks > 0

    def start(self) -> None:
        """Initialise the converter and measure its times for a chunk, unless they are known, and begin to convert.

        Raises whatever the converter's ``initialize`` raises.
        """
        if not self.times.count:
            self.times.try_out(self._backend)
        self._thread = threading.Thread(target=self._run, name="conversion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the conversion thread and give back what the converter holds; again does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._input_written:
            self._stopping = True
            successor, self._successor = self._successor, None
            self._input_written.notify_all()
            self._output_written.notify_all()
        thread.join(STOP_TIMEOUT_S)
        if thread.is_alive():
            log.warning("the converter did not return within %g s", STOP_TIMEOUT_S)
        self._give_back_replaced()  # the thread may still wait for it to fade out
        self._backend.cleanup()
        if successor:
            successor.cleanup()

    def process_input(self, audio: Samples) -> None:
        """Hand over captured sound, (n,) float32; never blocks, the oldest is dropped and counted when full."""
        audio = np.asarray(audio, np.float32)
        if audio.ndim != 1:
            raise ValueError(f"expected mono samples of shape (n,), got {audio.shape}")
        with self._input_written:
            self._buffers.write_input(audio)
            self._input_written.notify()

    def get_output(self, size: int, timeout_s: float | None = None) -> Samples:
        """The next ``size`` converted samples, (size,) float32, with silence where they come too late.

        Waits for the converter at most ``timeout_s``, by default as long as ``size`` samples last.
        """
        if timeout_s is None:
            timeout_s = size / SAMPLE_RATE_HZ
        with self._output_written:
            self._hold_back(size)
            self._output_written.wait_for(lambda: self._stopping or not self._buffers.is_due(size), timeout_s)
            return self._buffers.read_output(size)

    def adjust(self, config: ConversionConfig) -> bool:
        """Let the converter go on as ``config`` tells; False where that takes another one."""
        with self._input_written:
            backend = self._successor or self._backend
        is_adjusted = backend.adjust(config)  # it may read files, for which the sound must not wait
        with self._input_written:
            return is_adjusted and backend is (self._successor or self._backend)

    def replace_backend(self, backend: ConversionBackend) -> None:
        """Let ``backend``, initialised by the caller, take over at the next chunk's edge, without a click."""
        with self._input_written:
            overtaken, self._successor = self._successor, backend
        if overtaken:
            overtaken.cleanup()

    def reset(self) -> None:
        """Forget all sound on its way; the next block begins a new stream."""
        with self._input_written:
            self._buffers.reset()
            self._held_back_samples = None
            self._history = np.zeros(0, np.float32)
            self._begins = True
            self._silent_chunks = 1

    def get_metrics(self) -> PipelineMetrics:
        """What has been measured up to now."""
        with self._input_written:
            health = self._buffers.get_buffer_health()
            latency_samples = self._buffers.delay_samples + self._backend.latency_samples
        return PipelineMetrics(
            processing_time_ms=self.times.last_s * 1000,
            total_latency_ms=milliseconds(latency_samples),
            real_time_factor=self.times.real_time_factor,
            chunks_processed=self._chunks_processed,
            dropped_ms=milliseconds(health.dropped_samples),
            late_ms=milliseconds(health.late_samples),
            buffer_health=health,
            error=self._error,
        )

    def _hold_back(self, size: int) -> None:
        """Give the converter its time when a stream begins, and more of it after sound has come too late.

        In the next pause; at once where sound comes too late again and again.
        """
        late_samples = self._buffers.get_buffer_health().late_samples
        held_back = self._held_back_samples
        least_longer = 0
        if held_back is not None:
            if late_samples == self._late_samples:
                return
            if self._silent_chunks < PAUSE_CHUNKS:  # somebody speaks, and hears of it
                if not self.times.often_exceed(held_back, size):
                    return
                least_longer = self.chunk_size // WORTH_A_GAP
        wanted = max(self.times.delay_samples(size), held_back or 0)
        longer = wanted - (held_back or 0)
        if longer < least_longer:
            return
        self._buffers.hold_back(longer)
        self._held_back_samples, self._late_samples = wanted, late_samples

    def _run(self) -> None:
        raise_priority()
        while work := self._next_work():
            started_s, has_failed = time.monotonic(), bool(self._error)
            converted = self._convert(work)
            is_silent = converted is None or not converted.any()
            if not is_silent and not has_failed:  # else it was made ready first
                self.times.add(time.monotonic() - started_s)
            with self._output_written:
                self._silent_chunks = self._silent_chunks + 1 if is_silent or self._begins else 0
                self._buffers.write_output(converted)
                self._output_written.notify_all()
            self._give_back_replaced()
            self._chunks_processed += 1
            self._publish_metrics()

    def _next_work(self) -> _Work | None:
        with self._input_written:
            while not self._stopping:
                if (chunk := self._buffers.read_chunk_for_processing()) is not None:
                    work = _Work(chunk, self._history, self._begins)
                    self._history = np.concatenate([self._history, chunk])[-CONTEXT_SAMPLES:]
                    self._begins = False
                    return work
                self._input_written.wait()
        return None

    def _convert(self, work: _Work) -> Samples | None:
        """The converted chunk, or None (silence) while the converter fails."""
        with self._input_written:
            predecessor, successor, self._successor = self._backend, self._successor, None
            self._backend = successor or predecessor
        if self._error and not successor and time.monotonic() < self._retry_at_s:
            return None
        try:
            converted = self._hand_over(work, predecessor) if successor else self._convert_or_raise(work)
        except Exception as error:  # the edge to the converter: whatever it raises must become silence
            self._fail(error)
            return None
        self._error, self._retry_pause_s = "", FIRST_RETRY_S
        return converted

    def _convert_or_raise(self, work: _Work) -> Samples:
        if self._error:
            self._backend.initialize()
        context = work.history if self._error or work.begins else None
        return _checked(self._backend.convert_chunk(work.chunk, context), work.chunk)

    def _hand_over(self, work: _Work, predecessor: ConversionBackend) -> Samples | None:
        """The chunk that passes from one converter to the next; None (silence) where the first one fails at last."""
        speaks = not (self._error or work.begins)
        before = None
        self._replaced = predecessor
        try:
            if speaks:
                before = _checked(said := predecessor.fade_out(work.chunk), work.chunk[: len(said)])
        except Exception as error:  # what has been replaced is no fault of the one that speaks now
            log.warning("the converter that was replaced failed: %s", error)
        after = _checked(self._backend.convert_chunk(work.chunk, work.history), work.chunk)
        if not speaks:
            return after
        return crossfade(before, after) if before is not None else None

    def _give_back_replaced(self) -> None:
        """Once the chunk in which it fades out is written: this may take longer than there is time for a chunk."""
        replaced, self._replaced = self._replaced, None
        if not replaced:
            return
        try:
            replaced.cleanup()
        except Exception as error:  # what has been replaced is no fault of the one that speaks now
            log.warning("the converter that was replaced failed: %s", error)

    def _fail(self, error: Exception) -> None:
        if not self._error:
            log.error("the converter failed: %s", error)
            log.debug("where it failed", exc_info=error)
            self._published_at_s = 0.0  # to be told at once
        self._error = f"the converter failed: {str(error) or type(error).__name__}"
        self._retry_at_s = time.monotonic() + self._retry_pause_s
        self._retry_pause_s = min(2 * self._retry_pause_s, LONGEST_RETRY_S)

    def _publish_metrics(self) -> None:
        now_s = time.monotonic()
        if self._on_metrics_update and now_s >= self._published_at_s + METRICS_INTERVAL_S:
            self._published_at_s = now_s
            try:
                self._on_metrics_update(self.get_metrics())
            except Exception:  # the edge to whoever watches: the sound goes on
                log.exception("the callback for metrics failed")


def _checked(converted: Samples, chunk: Samples) -> Samples:
    """What the converter returned, if it is sound of the chunk's length."""
    converted = np.asarray(converted, np.float32)
    if converted.shape != chunk.shape:
        raise ConversionError(f"it returned {converted.shape} samples for {chunk.shape}")
    if not np.isfinite(converted).all():
        raise ConversionError("it returned numbers that are not finite")
    return converted

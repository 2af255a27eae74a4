"""Carries sound through a converter that runs in its own thread."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples, milliseconds
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.errors import Fault
from rwc_pw.streaming.buffers import BufferConfig, BufferHealth
from rwc_pw.streaming.conversion_times import PATIENCE, ConversionTimes
from rwc_pw.streaming.converter_slot import ConverterSlot, Work
from rwc_pw.streaming.sound_in_flight import SoundInFlight
from rwc_pw.system.priority import raise_priority

METRICS_INTERVAL_S = 0.5
STOP_TIMEOUT_S = 2.0
LOUDEST = 1e3  # +60 dBFS; a sample beyond it, or NaN, is an error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineMetrics:
    """Measurements of the pipeline."""

    processing_time_ms: float
    """Duration of the last chunk's conversion."""
    total_latency_ms: float
    """From ``process_input`` to ``get_output``, counted in samples; includes the algorithm's delay."""
    real_time_factor: float
    """The recent median conversion time divided by the chunk's duration; above 1 the converter does not keep up."""
    chunks_processed: int
    dropped_ms: float
    late_ms: float
    buffer_health: BufferHealth
    fault: Fault | None
    """The reason why silence replaces the converted voice now; None if all is well."""


class StreamingPipeline:
    """``process_input`` takes the microphone's sound, ``get_output`` returns as much converted sound.

    If anything fails in the converter, the output is silence and ``PipelineMetrics.fault`` says why;
    the converter is initialised again after a pause that doubles with each failure.
    """

    def __init__(
        self,
        backend: ConversionBackend,
        buffer_config: BufferConfig,
        on_metrics_update: Callable[[PipelineMetrics], None] | None = None,
        times: ConversionTimes | None = None,
    ) -> None:
        """``times`` were measured on ``backend``, which is then already initialised."""
        self.times = times or ConversionTimes(buffer_config.chunk_size)
        self._slot = ConverterSlot(backend)
        self._sound = SoundInFlight(buffer_config)
        self._on_metrics_update = on_metrics_update
        self._thread: threading.Thread | None = None
        self._chunks_processed = 0
        self._published_at_s = 0.0

    @property
    def chunk_size(self) -> int:
        """Samples per conversion."""
        return self._sound.chunk_size

    @property
    def is_silent(self) -> bool:
        """Return whether the last converted chunk is silent, or there is none yet."""
        return self._sound.is_silent

    def start(self) -> None:
        """Begin to convert; first initialise and time the converter, unless ``times`` are known.

        Raises whatever the converter's ``initialize`` raises.
        """
        if not self.times.count:
            try:
                self.times.try_out(self._slot.backend)
            except BaseException:
                self._slot.cleanup()
                raise
        self._thread = threading.Thread(target=self._run, name="conversion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the conversion thread and clean up the converter; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._sound.close()
        thread.join(STOP_TIMEOUT_S)
        if thread.is_alive():
            log.warning("the converter did not return within %g s", STOP_TIMEOUT_S)
        self._slot.cleanup()

    def process_input(self, audio: Samples) -> None:
        """Hand over captured sound, (n,) float32; never blocks; when full, the oldest is dropped and counted."""
        audio = np.asarray(audio, np.float32)
        if audio.ndim != 1:
            raise ValueError(f"expected mono samples of shape (n,), got {audio.shape}")
        self._sound.write_input(audio)

    def get_output(self, size: int, timeout_s: float | None = None) -> Samples:
        """The next ``size`` converted samples, (size,) float32, with silence for those that come too late.

        Waits for the converter for at most ``timeout_s``, by default ``PATIENCE`` times as long as they last.
        """
        if timeout_s is None:
            timeout_s = PATIENCE * size / SAMPLE_RATE_HZ
        return self._sound.read_output(size, self.times, timeout_s)

    def change_block(self, block_samples: int) -> None:
        """Let the delay be no longer than blocks of this size take, which come from now on."""
        self._sound.change_block(block_samples)

    def wait_for_silence(self, timeout_s: float) -> None:
        """Wait until nothing is to be heard, the pipeline stops, or the time is up."""
        self._sound.wait_for_silence(timeout_s)

    def adjust(self, config: ConversionConfig) -> bool:
        """Adjust the converter to ``config``; False if that takes a new converter."""
        return self._slot.adjust(config)

    def replace_backend(self, backend: ConversionBackend) -> None:
        """Let ``backend``, initialised by the caller, take over at the next chunk boundary, without a click."""
        self._slot.put(backend)
        self._sound.look_again()

    def reset(self) -> None:
        """Discard all sound in flight; the next block begins a new stream."""
        self._sound.reset()
        self._slot.forgive()

    def get_metrics(self) -> PipelineMetrics:
        """The measurements so far."""
        health = self._sound.health()
        return PipelineMetrics(
            processing_time_ms=self.times.last_s * 1000,
            total_latency_ms=milliseconds(self._sound.delay_samples + self._slot.backend.latency_samples),
            real_time_factor=self.times.real_time_factor,
            chunks_processed=self._chunks_processed,
            dropped_ms=milliseconds(health.dropped_samples),
            late_ms=milliseconds(health.late_samples),
            buffer_health=health,
            fault=self._slot.fault,
        )

    def _run(self) -> None:
        raise_priority()
        while self._sound.wait_for_work(lambda: self._slot.has_successor):
            if work := self._sound.take_work():
                self._carry(work)
            else:
                self._slot.exchange()
            self._slot.give_back_replaced()
            self._publish_metrics()

    def _carry(self, work: Work) -> None:
        """Convert a chunk, and put out the result, or silence."""
        started_s, has_failed, had_fault = time.monotonic(), self._slot.has_failed, self._slot.fault
        converted = self._convert(work)
        is_silent = converted is None or not converted.any()
        if not is_silent and not has_failed:  # after a failure the time includes initialising
            self.times.add(time.monotonic() - started_s)
        self._sound.write_output(converted, is_silent=is_silent)
        self._chunks_processed += 1
        if self._slot.fault and not had_fault:
            self._published_at_s = 0.0  # so that it is published at once

    def _convert(self, work: Work) -> Samples | None:
        """The converted chunk, or None (silence) while the converter is failing."""
        if np.abs(work.chunk).max() < LOUDEST:  # which NaN is not, either
            return self._slot.convert(work)
        # given to no converter, nor any of it as context: the converter goes on as if it were silence
        self._sound.leave_out(work.chunk)
        self._slot.refuse(Fault("the microphone's sound has values that are not finite or far too large"))
        return None

    def _publish_metrics(self) -> None:
        now_s = time.monotonic()
        if self._on_metrics_update and now_s >= self._published_at_s + METRICS_INTERVAL_S:
            self._published_at_s = now_s
            try:
                self._on_metrics_update(self.get_metrics())
            except Exception:  # the boundary to the observer: the sound goes on
                log.exception("the callback for metrics failed")

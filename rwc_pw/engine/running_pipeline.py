"""The pipeline that runs, and the ones that it has replaced."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.streaming.buffers import BufferConfig
from rwc_pw.streaming.conversion_times import ConversionTimes
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline


class RunningPipeline:
    """One pipeline at a time, in an asyncio loop; what is lost is counted from the first on."""

    def __init__(
        self,
        backend: ConversionBackend,
        chunk_size: int,
        on_replaced: Callable[[StreamingPipeline], None],
        on_measured: Callable[[], None],
    ) -> None:
        """``on_replaced`` receives each pipeline after the first, to carry the sound from now on.

        ``on_measured`` is called in the loop whenever there are new metrics.
        """
        self._on_replaced = on_replaced
        self._on_measured = on_measured
        self._loop = asyncio.get_running_loop()
        self._dropped_ms = self._late_ms = 0.0  # in replaced pipelines
        self.now = self._new(backend, chunk_size)

    def get_metrics(self) -> PipelineMetrics:
        """The measurements so far; what was dropped or late is that of all pipelines."""
        metrics = self.now.get_metrics()
        dropped_ms, late_ms = self._dropped_ms + metrics.dropped_ms, self._late_ms + metrics.late_ms
        return replace(metrics, dropped_ms=dropped_ms, late_ms=late_ms)

    def take_over(self, backend: ConversionBackend, chunk_size: int) -> None:
        """Speak through a converter that initialises at once, without a click if the chunk size stays the same."""
        if self.now.chunk_size == chunk_size:
            backend.initialize()
            self.now.replace_backend(backend)
        else:
            self.replace(backend, chunk_size)

    def replace(self, backend: ConversionBackend, chunk_size: int, times: ConversionTimes | None = None) -> None:
        """Speak through a new pipeline; sound in flight is discarded. ``times``: those of an initialised converter."""
        pipeline = self._new(backend, chunk_size, times)
        pipeline.start()
        replaced, self.now = self.now, pipeline
        self._on_replaced(pipeline)
        metrics = replaced.get_metrics()
        self._dropped_ms += metrics.dropped_ms + (0.0 if replaced.is_silent else metrics.total_latency_ms)
        self._late_ms += metrics.late_ms
        self._loop.run_in_executor(None, replaced.stop)

    def _new(
        self, backend: ConversionBackend, chunk_size: int, times: ConversionTimes | None = None
    ) -> StreamingPipeline:
        return StreamingPipeline(backend, BufferConfig(chunk_size=chunk_size), self._on_metrics, times)

    def _on_metrics(self, _: PipelineMetrics) -> None:
        self._loop.call_soon_threadsafe(self._on_measured)

"""RWC Voice at work: the converter, the pipeline around it, and the node manager around that."""

import asyncio
from collections.abc import Callable

from rwc_pw.config import Config
from rwc_pw.desktop.dropin import dropin_text, source_properties
from rwc_pw.pipewire.node_manager import NodeManager, NodeState
from rwc_pw.pipewire.transport import Levels
from rwc_pw.status import State, Status
from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, ConversionBackend, IdentityBackend
from rwc_pw.streaming.buffers import BufferConfig
from rwc_pw.streaming.conversion import ConversionConfig, create_backend
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline


class VoiceEngine:
    """Runs in an asyncio loop of the main thread; ``run`` until cancelled."""

    def __init__(self, config: Config, on_change: Callable[[], None]) -> None:
        """``on_change`` is called in the loop whenever ``status()`` may have changed."""
        self.config = config
        self.bypass = False
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._settled = asyncio.Event()
        self._pipeline = StreamingPipeline(
            self._create_backend(), BufferConfig(chunk_size=config.chunk_size), self._on_metrics
        )
        self._nodes = NodeManager(self._pipeline, source_properties(dropin_text()), config.quantum, self._on_nodes)
        self._nodes.choose(config.input_device)

    async def run(self) -> None:
        """Feed RWC Voice; every process, thread and stream has ended when it returns."""
        self._pipeline.start()
        try:
            await self._nodes.run()
        finally:
            self._pipeline.stop()

    def apply(self, config: Config) -> None:
        """Take over a new configuration while people listen; chunk size and quantum wait for the next start."""
        self.config = config
        self._nodes.choose(config.input_device)
        self._replace_backend()

    def set_bypass(self, bypass: bool) -> None:
        """The real voice, on the user's word alone; a restart forgets it."""
        self.bypass = bypass
        self._replace_backend()

    async def settle(self, timeout_s: float) -> None:
        """Wait until RWC Voice is there and wired, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            return

    def status(self) -> Status:
        metrics = self._pipeline.get_metrics()
        nodes = self._nodes.state
        reason = _reason(nodes, metrics)
        return Status(
            state=State.DEGRADED if reason else State.RUNNING if nodes.listeners else State.ARMED,
            reason=reason,
            voice=self.config.voice,
            input_device=nodes.microphone,
            listeners=nodes.listeners,
            latency_ms=self._latency_ms(metrics),
            dropped_ms=round(metrics.dropped_ms, 1),
            late_ms=round(metrics.late_ms + self._nodes.skipped_samples * 1000 / SAMPLE_RATE_HZ, 1),
            bypass=self.bypass,
            muted=nodes.muted,
        )

    def take_levels(self) -> Levels:
        """The loudest samples, heard and spoken, since the last call."""
        return self._nodes.transport.take_levels() if self._nodes.transport else Levels()

    def _latency_ms(self, metrics: PipelineMetrics) -> float | None:
        transport = self._nodes.transport
        if transport is None or not transport.is_flowing:
            return None
        return round(metrics.total_latency_ms + transport.latency_samples * 1000 / SAMPLE_RATE_HZ, 1)

    def _create_backend(self) -> ConversionBackend:
        if self.bypass:
            return IdentityBackend()
        return create_backend(
            ConversionConfig(
                voice=self.config.voice,
                pitch_shift=self.config.pitch,
                formant_shift=self.config.formant,
                gain_db=self.config.gain,
                gate_db=self.config.gate,
            )
        )

    def _replace_backend(self) -> None:
        backend = self._create_backend()
        backend.initialize()
        self._pipeline.replace_backend(backend)
        self._on_change()

    def _on_nodes(self, state: NodeState) -> None:
        if not state.fault:
            self._settled.set()
        self._on_change()

    def _on_metrics(self, _: PipelineMetrics) -> None:
        self._loop.call_soon_threadsafe(self._on_change)


def _reason(nodes: NodeState, metrics: PipelineMetrics) -> str:
    if nodes.fault or metrics.error:
        return nodes.fault or metrics.error
    if overdue := metrics.buffer_health.overdue_samples:
        return f"the converter is {overdue * 1000 / SAMPLE_RATE_HZ:.0f} ms behind"
    return ""

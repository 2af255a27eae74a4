"""RWC Voice at work: the voice that speaks, and its way through PipeWire."""

import asyncio
from collections.abc import Callable

from rwc_pw.audio.samples import milliseconds
from rwc_pw.config import Config
from rwc_pw.desktop.dropin import source_properties
from rwc_pw.engine.faults import fault_in, state_of
from rwc_pw.engine.live_voice import LiveVoice
from rwc_pw.pipewire.node_manager import NodeManager
from rwc_pw.pipewire.supervision import NodeState
from rwc_pw.pipewire.transport import Levels
from rwc_pw.status import Status
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends


class VoiceEngine:
    """Runs in the main thread's asyncio loop; ``run`` lasts until cancelled."""

    def __init__(self, config: Config, paths: Paths, on_change: Callable[[], None]) -> None:
        """``on_change`` is called in the loop whenever ``status()`` may have changed."""
        self._on_change = on_change
        self._settled = asyncio.Event()
        self._voice = LiveVoice(config, paths, self._carry, self._renew_streams, on_change)
        self._nodes = NodeManager(self._voice.pipeline, source_properties(), config.quantum, self._on_nodes)
        self._choose_input(config)

    @property
    def config(self) -> Config:
        """The configuration that is applied."""
        return self._voice.state.config

    async def run(self) -> None:
        """Feed RWC Voice; when it returns, every process, thread and stream has ended."""
        self._voice.start()
        try:
            await until_one_ends(self._nodes.run(), self._voice.run())
        finally:
            self._voice.stop()

    def apply(self, config: Config) -> None:
        """Apply a new configuration while people listen; a new quantum takes effect at the next start."""
        self._choose_input(config)
        self._voice.choose(config)

    def set_bypass(self, bypass: bool) -> None:
        """Let the real voice through, only at the user's request; a restart forgets it."""
        self._voice.set_bypass(bypass)

    async def settle(self, timeout_s: float) -> None:
        """Wait until RWC Voice exists and is wired, or the time is up."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            return

    def status(self) -> Status:
        voice, nodes, metrics = self._voice.state, self._nodes.state, self._voice.running.get_metrics()
        fault = fault_in(voice, nodes, metrics, self._voice.pipeline.is_silent)
        mended = fault or next(iter(nodes.turned_down), None)
        return Status(
            state=state_of(nodes, fault),
            reason=fault.reason if fault else "",
            remedy=mended.remedy if mended else "",
            voice=voice.speaking,
            loading=voice.loading,
            input_device=nodes.microphone,
            input_channel=self._nodes.channel,
            input_channels=nodes.channels,
            listeners=nodes.listeners,
            latency_ms=self._latency_ms(metrics),
            dropped_ms=round(metrics.dropped_ms, 1),
            late_ms=round(metrics.late_ms + milliseconds(self._nodes.skipped_samples), 1),
            bypass=voice.bypass,
            muted=nodes.muted,
            turned_down=tuple(found.reason for found in nodes.turned_down),
        )

    @property
    def is_feeding(self) -> bool:
        """Return whether PipeWire is there, with streams of ours."""
        return self._nodes.transport is not None

    def was_asked_to_give_way(self) -> bool:
        """Return whether another rwc-pw has wanted to feed RWC Voice, or to remove it, since the last call."""
        return self._nodes.was_asked_to_give_way()

    def take_levels(self) -> Levels:
        """The loudest samples captured and played since the last call."""
        return self._nodes.transport.take_levels() if self._nodes.transport else Levels()

    def _choose_input(self, config: Config) -> None:
        self._nodes.choose(config.input_device, config.input_channel)
        self._nodes.pin_volume(config.pin_volume)

    def _carry(self, pipeline: StreamingPipeline) -> None:
        self._nodes.replace_pipeline(pipeline)

    def _renew_streams(self) -> None:
        self._nodes.renew_streams()

    def _latency_ms(self, metrics: PipelineMetrics) -> float | None:
        transport = self._nodes.transport
        if transport is None or not (transport.is_flowing and self._nodes.state.flows):
            return None
        return round(metrics.total_latency_ms + milliseconds(transport.latency_samples), 1)

    def _on_nodes(self, state: NodeState) -> None:
        if not state.fault:
            self._settled.set()
        self._on_change()

"""RWC Voice at work: the converter, the pipeline around it, and the node manager around that."""

import asyncio
from collections.abc import Callable

from rwc_pw.audio.samples import milliseconds
from rwc_pw.config import Config
from rwc_pw.conversion.backend import ConversionBackend, IdentityBackend, SilentBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.create import create_backend
from rwc_pw.desktop.dropin import source_properties
from rwc_pw.engine.chunk_size import AdaptiveChunk, ChosenChunks
from rwc_pw.engine.loader import LoadedVoice, VoiceLoader
from rwc_pw.engine.request import conversion_of, is_chunk_ours
from rwc_pw.errors import Fault
from rwc_pw.pipewire.node_manager import NodeManager
from rwc_pw.pipewire.supervision import NodeState
from rwc_pw.pipewire.transport import Levels
from rwc_pw.rvc import gpu
from rwc_pw.status import State, Status
from rwc_pw.streaming.buffers import BufferConfig
from rwc_pw.streaming.conversion_times import ConversionTimes
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends

LONGEST_WAIT_S = 5.0  # for a pause in the speech in which to replace the pipeline


class VoiceEngine:
    """Runs in the main thread's asyncio loop; ``run`` lasts until cancelled."""

    def __init__(self, config: Config, paths: Paths, on_change: Callable[[], None]) -> None:
        """``on_change`` is called in the loop whenever ``status()`` may have changed."""
        self.config = config
        self.bypass = False
        self._paths = paths
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._settled = asyncio.Event()
        self._speaking = "" if config.is_rvc else config.voice
        self._lost_ms = 0.0, 0.0  # dropped and late, in replaced pipelines
        self._chosen_chunks = ChosenChunks(paths.chunks_file)
        self._adaptive_chunk = AdaptiveChunk()
        self._loader = VoiceLoader(paths, self._chosen_chunks, self._is_carried, self._hand_over, on_change)
        self._carried: LoadedVoice | None = None  # the RVC voice that speaks
        self._carried_config: Config | None = None  # what it was last adjusted to
        self._measured = asyncio.Event()  # the pipeline has new measurements
        first = SilentBackend() if config.is_rvc else self._create_backend()
        self._pipeline = self._new_pipeline(first, config.chunk_size)
        self._nodes = NodeManager(self._pipeline, source_properties(), config.quantum, self._on_nodes)
        self._nodes.choose(config.input_device, config.input_channel)
        self._nodes.pin_volume(config.pin_volume)
        if config.is_rvc:
            self._loader.want(config)

    async def run(self) -> None:
        """Feed RWC Voice; when it returns, every process, thread and stream has ended."""
        self._pipeline.start()
        try:
            await until_one_ends(self._nodes.run(), self._loader.run(), self._adapt_chunk())
        finally:
            self._pipeline.stop()

    def apply(self, config: Config) -> None:
        """Apply a new configuration while people listen; a new quantum takes effect at the next start."""
        self.config = config
        self._nodes.choose(config.input_device, config.input_channel)
        self._nodes.pin_volume(config.pin_volume)
        self._change_voice()

    def set_bypass(self, bypass: bool) -> None:
        """Let the real voice through, only at the user's request; a restart forgets it."""
        was_bypassed, self.bypass = self.bypass, bypass
        if was_bypassed and not bypass:
            self._pipeline.replace_backend(SilentBackend())  # whatever happens next
            self._nodes.renew_streams()
            self._fall_silent()  # neither sound in flight nor later speech is heard
        self._change_voice()

    async def settle(self, timeout_s: float) -> None:
        """Wait until RWC Voice exists and is wired, or the time is up."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            return

    def status(self) -> Status:
        metrics = self._pipeline.get_metrics()
        nodes = self._nodes.state
        fault = self._fault(nodes, metrics)
        mended = fault or next(iter(nodes.turned_down), None)
        dropped_ms, late_ms = self._lost_ms
        return Status(
            state=State.DEGRADED if fault else State.RUNNING if nodes.flows else State.ARMED,
            reason=fault.reason if fault else "",
            remedy=mended.remedy if mended else "",
            voice=self._speaking,
            loading=self._loader.loading,
            input_device=nodes.microphone,
            input_channel=self._nodes.channel,
            input_channels=nodes.channels,
            listeners=nodes.listeners,
            latency_ms=self._latency_ms(metrics),
            dropped_ms=round(dropped_ms + metrics.dropped_ms, 1),
            late_ms=round(late_ms + metrics.late_ms + milliseconds(self._nodes.skipped_samples), 1),
            bypass=self.bypass,
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

    def _change_voice(self) -> None:
        """A built-in voice speaks at once, an RVC voice once it is loaded; until then the previous voice speaks."""
        if self.bypass or not self.config.is_rvc:
            self._loader.give_up()
            self._speak_through(self._create_backend())
        elif self._carried and self._pipeline.adjust(self._conversion()):
            self._loader.give_up()
            self._carried_config = self.config
        else:
            self._loader.want(self.config)
        self._on_change()

    async def _hand_over(self, voice: LoadedVoice) -> bool:
        """Let a loaded voice speak: in the running pipeline if that has one of the same kind, else in a new one.

        False if it is not what is wanted any more.
        """
        if not self._is_carried(voice.kind):
            await asyncio.to_thread(self._pipeline.wait_for_silence, LONGEST_WAIT_S)
        if self.bypass or not voice.backend.adjust(self._conversion()):
            return False
        if self._is_carried(voice.kind):
            self._pipeline.replace_backend(voice.backend)
            self._speaking = self.config.voice
        else:
            pipeline = self._new_pipeline(voice.backend, voice.times.chunk_size, voice.times)
            pipeline.start()
            self._replace_pipeline(pipeline)
        self._carried, self._carried_config = voice, self.config
        return True

    def _is_carried(self, kind: object) -> bool:
        return self._carried is not None and self._carried.kind == kind

    async def _adapt_chunk(self) -> None:
        """Load the current voice with another chunk size whenever its own does not suit the machine.

        If its GPU has failed, load it on the CPU.
        """
        while True:
            await self._measured.wait()
            self._measured.clear()
            config = self.config
            carried = self._carried
            if self._loader.loading or carried is None:
                continue
            if gpu.has_failed() and carried.device:
                self._fall_silent()  # the CPU cannot keep up with the GPU's chunk size
                self._loader.want(config)
            elif (
                is_chunk_ours(config)
                and not self._loader.fault
                and (size := self._adaptive_chunk.better(self._pipeline.times, carried.device))
            ):
                self._chosen_chunks.keep(self._conversion(), size)
                self._loader.want(config)

    def _fall_silent(self) -> None:
        self._speak_anew_through(SilentBackend())
        self._speaking = ""

    def _speak_through(self, backend: ConversionBackend) -> None:
        """Let a converter that initialises at once take over, without a click if the chunk size stays the same."""
        if self._pipeline.chunk_size == self.config.chunk_size:
            self._carried = None
            backend.initialize()
            self._pipeline.replace_backend(backend)
            self._speaking = self.config.voice
        else:
            self._speak_anew_through(backend)

    def _speak_anew_through(self, backend: ConversionBackend) -> None:
        """Speak through a new pipeline; sound in flight is discarded."""
        self._carried = None
        pipeline = self._new_pipeline(backend, self.config.chunk_size)
        pipeline.start()
        self._replace_pipeline(pipeline)

    def _replace_pipeline(self, pipeline: StreamingPipeline) -> None:
        """Let ``pipeline``, already started, carry the sound."""
        replaced, self._pipeline = self._pipeline, pipeline
        self._nodes.replace_pipeline(pipeline)
        self._speaking = self.config.voice
        metrics = replaced.get_metrics()
        on_its_way_ms = 0.0 if replaced.is_silent else metrics.total_latency_ms
        self._lost_ms = self._lost_ms[0] + metrics.dropped_ms + on_its_way_ms, self._lost_ms[1] + metrics.late_ms
        self._loop.run_in_executor(None, replaced.stop)

    def _new_pipeline(
        self, backend: ConversionBackend, chunk_size: int, times: ConversionTimes | None = None
    ) -> StreamingPipeline:
        return StreamingPipeline(backend, BufferConfig(chunk_size=chunk_size), self._on_metrics, times)

    def _create_backend(self) -> ConversionBackend:
        return IdentityBackend() if self.bypass else create_backend(self._conversion())

    def _conversion(self) -> ConversionConfig:
        return conversion_of(self.config, self._chosen_chunks, self._paths)

    def _latency_ms(self, metrics: PipelineMetrics) -> float | None:
        transport = self._nodes.transport
        if transport is None or not (transport.is_flowing and self._nodes.state.flows):
            return None
        return round(metrics.total_latency_ms + milliseconds(transport.latency_samples), 1)

    def _on_nodes(self, state: NodeState) -> None:
        if not state.fault:
            self._settled.set()
        self._on_change()

    def _on_metrics(self, _: PipelineMetrics) -> None:
        self._loop.call_soon_threadsafe(self._on_measured)

    def _on_measured(self) -> None:
        self._measured.set()
        self._on_change()

    def _fault(self, nodes: NodeState, metrics: PipelineMetrics) -> Fault | None:
        is_heard = self._carried is not None and self._carried_config is self.config  # with another chunk size
        if self._loader.fault and not is_heard:
            return self._loader.fault
        if nodes.fault:
            return nodes.fault
        if metrics.fault:
            return metrics.fault
        if self._loader.loading and not self._speaking:
            before = "the GPU failed, and " if gpu.has_failed() else ""
            return Fault(f"{before}the voice {self._loader.loading} is being loaded")
        if metrics.real_time_factor > 1 and nodes.listeners and not self._pipeline.is_silent:
            slow = f"the converter needs {metrics.real_time_factor:.1f} s for 1 s of sound, and most of it is lost"
            return Fault(slow, "Choose a larger `rwc-pw set --chunk-size`, a GPU or a built-in voice.")
        if overdue := metrics.buffer_health.overdue_samples:
            behind = f"the converter is {milliseconds(overdue):.0f} ms behind"
            return Fault(behind, "If it stays so, choose a larger `rwc-pw set --chunk-size`.")
        return None

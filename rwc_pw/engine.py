"""RWC Voice at work: the converter, the pipeline around it, and the node manager around that."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rwc_pw.asked import conversion_of, is_chunk_ours
from rwc_pw.config import Config
from rwc_pw.desktop.dropin import dropin_text, source_properties
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import RwcPwError
from rwc_pw.loading import choose_chunk, load
from rwc_pw.pipewire.node_manager import NodeManager, NodeState
from rwc_pw.pipewire.transport import Levels
from rwc_pw.rvc import graphics_card
from rwc_pw.status import State, Status
from rwc_pw.streaming.backend import ConversionBackend, IdentityBackend, SilentBackend, milliseconds
from rwc_pw.streaming.buffers import BufferConfig
from rwc_pw.streaming.chunk_choice import AdaptiveChunk, ChosenChunks
from rwc_pw.streaming.conversion import create_backend
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS, ConversionTimes
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline
from rwc_pw.tasks import until_one_ends
from rwc_pw.voices.rvc_voice import RvcVoice

LONGEST_WAIT_S = 5.0  # for a pause in which a pipeline is replaced
PAUSE_INTERVAL_S = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Loaded:
    """An RVC voice that can speak."""

    config: Config
    """What it was loaded for, and has been adjusted to since."""
    kind: object
    device: str | None
    """What it was to be computed on."""
    backend: ConversionBackend
    times: ConversionTimes | None
    """None where they are too few to begin a pipeline with: it was to take over in one."""


class VoiceEngine:
    """Runs in an asyncio loop of the main thread; ``run`` until cancelled."""

    def __init__(self, config: Config, paths: Paths, on_change: Callable[[], None]) -> None:
        """``on_change`` is called in the loop whenever ``status()`` may have changed."""
        self.config = config
        self.bypass = False
        self._paths = paths
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._settled = asyncio.Event()
        self._wanted = asyncio.Event()
        self._speaking = "" if config.is_rvc else config.voice
        self._loading = config.voice if config.is_rvc else ""
        self._load_error = ""
        self._lost_ms = 0.0, 0.0  # dropped and late, in pipelines that have been replaced
        self._chosen_chunks = ChosenChunks(paths.chunks_file)
        self._adaptive_chunk = AdaptiveChunk()
        self._carried: _Loaded | None = None  # the RVC voice that speaks
        self._measured = asyncio.Event()  # by the pipeline, anew
        first = SilentBackend() if config.is_rvc else self._create_backend()
        self._pipeline = self._new_pipeline(first, config.chunk_size)
        self._nodes = NodeManager(self._pipeline, source_properties(dropin_text()), config.quantum, self._on_nodes)
        self._nodes.choose(config.input_device)

    async def run(self) -> None:
        """Feed RWC Voice; every process, thread and stream has ended when it returns."""
        self._pipeline.start()
        try:
            await until_one_ends(self._nodes.run(), self._load_voices(), self._adapt_chunk())
        finally:
            self._pipeline.stop()

    def apply(self, config: Config) -> None:
        """Take over a new configuration while people listen; the quantum waits for the next start."""
        self.config = config
        self._nodes.choose(config.input_device)
        self._change_voice()

    def set_bypass(self, bypass: bool) -> None:
        """The real voice, on the user's word alone; a restart forgets it."""
        was_bypassed, self.bypass = self.bypass, bypass
        if was_bypassed and not bypass:
            self._nodes.renew_streams()
            self._fall_silent()  # the real voice is not heard while another is loaded
        self._change_voice()

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
        reason = self._reason(nodes, metrics)
        dropped_ms, late_ms = self._lost_ms
        return Status(
            state=State.DEGRADED if reason else State.RUNNING if nodes.listeners else State.ARMED,
            reason=reason,
            voice=self._speaking or self.config.voice,
            loading=self._loading,
            input_device=nodes.microphone,
            listeners=nodes.listeners,
            latency_ms=self._latency_ms(metrics),
            dropped_ms=round(dropped_ms + metrics.dropped_ms, 1),
            late_ms=round(late_ms + metrics.late_ms + milliseconds(self._nodes.skipped_samples), 1),
            bypass=self.bypass,
            muted=nodes.muted,
        )

    def take_levels(self) -> Levels:
        """The loudest samples, heard and spoken, since the last call."""
        return self._nodes.transport.take_levels() if self._nodes.transport else Levels()

    def _change_voice(self) -> None:
        """A built-in voice speaks at once, an RVC voice as soon as it is loaded; until then the one before speaks."""
        self._load_error = ""
        if self.bypass or not self.config.is_rvc:
            self._loading = ""
            self._speak_through(self._create_backend())
        elif self._carried and self._pipeline.adjust(self._conversion()):
            self._loading = ""
            self._carried = replace(self._carried, config=self.config)
        else:
            self._loading = self.config.voice
            self._wanted.set()
        self._on_change()

    async def _load_voices(self) -> None:
        """Load whatever RVC voice is wanted, beside the one that speaks."""
        if self._loading:
            self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._loading:  # and no voice that needs no loading has been chosen since
                await self._load(self.config)

    async def _load(self, config: Config) -> None:
        device = None
        try:
            # in a thread: a graphics card takes seconds to find
            conversion = await asyncio.to_thread(conversion_of, config, self._chosen_chunks, self._paths)
            device = conversion.device
            if is_chunk_ours(config) and not self._chosen_chunks.get(conversion):
                chunk_size = await choose_chunk(conversion)
                self._chosen_chunks.keep(conversion, chunk_size)
                conversion = replace(conversion, chunk_size=chunk_size)
            if config is not self.config:  # another voice has been chosen meanwhile
                return
            device, kind = conversion.device, _kind(conversion)
            takes_over = self._is_carried(kind)
            backend, times = await load(conversion, 1 if takes_over else TRIAL_CHUNKS)
        except Exception as error:  # the edge to the converter: whatever it raises is a reason, no more
            log.debug("the voice could not be loaded", exc_info=error)
            is_wanted = config is self.config
            if is_wanted and device and graphics_card.has_failed():
                self._wanted.set()  # once more, for the CPU
            elif is_wanted:
                self._loading, self._load_error = "", _why(error)
                log.warning("%s", self._load_error)
        else:
            await self._hand_over(_Loaded(config, kind, device, backend, None if takes_over else times))
        self._on_change()

    async def _hand_over(self, loaded: "_Loaded") -> None:
        """Let a converter that is loaded speak, in the pipeline that is there if it is one of the same kind."""
        try:
            if not self._is_carried(loaded.kind) and loaded.config is self.config:
                await self._pause()
        except BaseException:
            loaded.backend.cleanup()
            raise
        if loaded.config is not self.config or self.bypass:  # another voice has been chosen meanwhile
            await asyncio.to_thread(loaded.backend.cleanup)
        elif self._is_carried(loaded.kind):
            self._pipeline.replace_backend(loaded.backend)
            self._speaking, self._loading, self._load_error = loaded.config.voice, "", ""
            self._carried = loaded
        elif loaded.times is None:  # it was to speak in a pipeline that is no more
            await asyncio.to_thread(loaded.backend.cleanup)
            self._wanted.set()
        else:
            self._loading = self._load_error = ""
            pipeline = self._new_pipeline(loaded.backend, loaded.times.chunk_size, loaded.times)
            pipeline.start()
            self._carried = loaded
            await asyncio.to_thread(self._replace_pipeline(pipeline).stop)

    def _is_carried(self, kind: object) -> bool:
        return self._carried is not None and self._carried.kind == kind

    async def _adapt_chunk(self) -> None:
        """Load the voice that speaks for another size of chunk, whenever the one it has does not suit the machine.

        For the CPU, when it spoke on a graphics card that has failed.
        """
        while True:
            await self._measured.wait()
            self._measured.clear()
            config = self.config
            carried = self._carried
            if self._loading or carried is None:
                continue
            if graphics_card.has_failed() and carried.device:
                self._fall_silent()  # the CPU does not hold what the card held
                self._loading = config.voice
                self._wanted.set()
            elif (
                is_chunk_ours(config)
                and not self._load_error
                and (size := self._adaptive_chunk.better(self._pipeline.times, carried.device))
            ):
                self._chosen_chunks.keep(self._conversion(), size)
                self._loading = config.voice
                self._wanted.set()

    async def _pause(self) -> None:
        """Wait until nobody speaks, a while at most."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                while not self._pipeline.is_silent:
                    await asyncio.sleep(PAUSE_INTERVAL_S)
        except TimeoutError:
            return

    def _fall_silent(self) -> None:
        self._speak_through(SilentBackend())
        self._speaking = ""

    def _speak_through(self, backend: ConversionBackend) -> None:
        """Let a converter that is made ready in no time take over, without a click where chunks stay as they are."""
        self._carried = None
        if self._pipeline.chunk_size == self.config.chunk_size:
            backend.initialize()
            self._pipeline.replace_backend(backend)
            self._speaking = self.config.voice
        else:
            pipeline = self._new_pipeline(backend, self.config.chunk_size)
            pipeline.start()
            self._loop.run_in_executor(None, self._replace_pipeline(pipeline).stop)

    def _replace_pipeline(self, pipeline: StreamingPipeline) -> StreamingPipeline:
        """Let ``pipeline``, which is started, carry the sound; the one before is given back, to be stopped."""
        replaced, self._pipeline = self._pipeline, pipeline
        self._nodes.replace_pipeline(pipeline)
        self._speaking = self.config.voice
        metrics = replaced.get_metrics()
        self._lost_ms = self._lost_ms[0] + metrics.dropped_ms, self._lost_ms[1] + metrics.late_ms
        return replaced

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
        if transport is None or not transport.is_flowing:
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

    def _reason(self, nodes: NodeState, metrics: PipelineMetrics) -> str:
        is_heard = self._carried is not None and self._carried.config is self.config  # in another size of chunk
        if found := nodes.fault or metrics.error or ("" if is_heard else self._load_error):
            return found
        if self._loading and not self._speaking:
            before = "the graphics card failed, and " if graphics_card.has_failed() else ""
            return f"{before}the voice {self._loading} is being loaded"
        if metrics.real_time_factor > 1 and nodes.listeners and not self._pipeline.is_silent:
            return (
                f"the converter needs {metrics.real_time_factor:.1f} s for 1 s of sound, and most of it is lost; "
                "a larger rvc_chunk_size, a graphics card or a built-in voice would help"
            )
        if overdue := metrics.buffer_health.overdue_samples:
            return f"the converter is {milliseconds(overdue):.0f} ms behind"
        return ""


def _kind(conversion: ConversionConfig) -> object:
    """What two RVC converters have in common that take as long for a chunk and lie as far behind."""
    voice = RvcVoice.read(Path(conversion.model_path or ""))
    asked = conversion.backend, conversion.chunk_samples, conversion.look_ahead_frames, conversion.detector
    return *asked, conversion.device, voice.version, voice.sample_rate_hz, voice.has_pitch, voice.has_index


def _why(error: Exception) -> str:
    if isinstance(error, RwcPwError):
        return f"{error.message} {error.remedy}".strip()
    return f"the voice could not be loaded: {str(error) or type(error).__name__}"

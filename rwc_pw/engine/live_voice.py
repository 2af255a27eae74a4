"""The voice that speaks: its pipeline, and how another voice takes over."""

import asyncio
from collections.abc import Callable

from rwc_pw.config import Config
from rwc_pw.conversion.backend import ConversionBackend, IdentityBackend, SilentBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.create import create_backend
from rwc_pw.engine.chunk_size import AdaptiveChunk, ChosenChunks
from rwc_pw.engine.loader import FIRST_RETRY_S, LONGEST_RETRY_S, VoiceLoader
from rwc_pw.engine.request import conversion_of
from rwc_pw.engine.running_pipeline import RunningPipeline
from rwc_pw.engine.trial import CreateBackend
from rwc_pw.engine.voice_state import Action, LoadedVoice, Transition, VoiceState
from rwc_pw.errors import Fault
from rwc_pw.rvc import gpu
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends

LONGEST_WAIT_S = 5.0  # for a pause in the speech in which to replace the pipeline


class LiveVoice:
    """Carries out what follows for ``state``, in an asyncio loop."""

    def __init__(
        self,
        config: Config,
        paths: Paths,
        on_pipeline: Callable[[StreamingPipeline], None],
        renew_streams: Callable[[], None],
        on_change: Callable[[], None],
        create: CreateBackend = create_backend,
    ) -> None:
        """``on_pipeline`` receives each pipeline after the first, to carry the sound from now on.

        ``renew_streams`` discards all sound outside the pipeline; ``on_change`` is called in the loop whenever
        ``state`` or the pipeline's metrics may have changed; ``create`` makes the converter for a configuration.
        """
        self.state = VoiceState.first(config)
        self._paths = paths
        self._renew_streams = renew_streams
        self._on_change = on_change
        self._create = create
        self._chosen_chunks = ChosenChunks(paths.chunks_file)
        self._adaptive_chunk = AdaptiveChunk()
        backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._loader = VoiceLoader(paths, self._chosen_chunks, self, create, backoff)
        self._measured = asyncio.Event()  # the pipeline has new measurements
        first = SilentBackend() if self.state.load else create(self._conversion())
        self.running = RunningPipeline(first, config.chunk_size, on_pipeline, self._on_measured)
        if self.state.load:
            self._loader.want(config)

    @property
    def pipeline(self) -> StreamingPipeline:
        """The pipeline that carries the sound now."""
        return self.running.now

    def start(self) -> None:
        """Begin to convert."""
        self.pipeline.start()

    async def run(self) -> None:
        """Load the voices that are wanted, until cancelled."""
        await until_one_ends(self._loader.run(), self._adapt())

    def stop(self) -> None:
        """End every process and thread of the converter."""
        self.pipeline.stop()

    def choose(self, config: Config) -> None:
        """Apply a new configuration while people listen."""
        self._follow(self.state.chosen(config))

    def set_bypass(self, bypass: bool) -> None:
        """Let the real voice through; once it is switched off, neither sound in flight nor later speech is heard."""
        self._follow(self.state.bypassed(bypass))

    def speaks_like(self, kind: object) -> bool:
        """Return whether a voice of that kind speaks."""
        return self.state.speaks_like(kind)

    async def take(self, voice: LoadedVoice) -> bool:
        """Let a loaded voice speak, in a pause if that takes a new pipeline; False if it is not wanted any more."""
        if not self.state.speaks_like(voice.kind):
            await asyncio.to_thread(self.pipeline.wait_for_silence, LONGEST_WAIT_S)
        if self.state.bypass or not voice.backend.adjust(self._conversion()):
            return False
        self._follow(self.state.arrived(voice))
        return True

    def load_failed(self, fault: Fault) -> None:
        """The wanted voice could not be loaded."""
        self._follow(self.state.load_failed(fault))

    def tried_again(self) -> None:
        """The voice that could not be loaded is tried again."""
        self._follow(self.state.tried_again())

    def gpu_failed(self) -> None:
        """The GPU cannot be used any more."""
        self._follow(self.state.gpu_failed())

    async def _adapt(self) -> None:
        """Load the current voice anew whenever its chunk size does not suit the machine, or its GPU has failed."""
        while True:
            await self._measured.wait()
            self._measured.clear()
            if gpu.has_failed() and self.state.needs_gpu:
                self.gpu_failed()
            elif self.state.may_be_resized and (size := self._better_chunk()):
                self._chosen_chunks.keep(self._conversion(), size)
                self._follow(self.state.resized())

    def _better_chunk(self) -> int | None:
        device = self.state.loaded.device if self.state.loaded else None
        return self._adaptive_chunk.better(self.pipeline.times, device)

    def _follow(self, transition: Transition) -> None:
        self.state, actions = transition
        for action in actions:
            self._carry_out(action)
        self._on_change()

    def _carry_out(self, action: Action) -> None:
        chunk_size = self.state.config.chunk_size
        match action:
            case Action.CUT:
                self.pipeline.replace_backend(SilentBackend())  # whatever happens next
                self._renew_streams()
                self.running.replace(SilentBackend(), chunk_size)
            case Action.FALL_SILENT:
                self.running.replace(SilentBackend(), chunk_size)
            case Action.SPEAK:
                self.running.take_over(self._built_in(), chunk_size)
            case Action.ADJUST:
                self._follow(self.state.adjusted(self.pipeline.adjust(self._conversion())))
            case Action.LOAD:
                self._loader.want(self.state.config)
            case Action.STOP_LOADING:
                self._loader.give_up()
            case Action.SWAP if voice := self.state.loaded:
                self.pipeline.replace_backend(voice.backend)
            case Action.REPLACE if voice := self.state.loaded:
                self.running.replace(voice.backend, voice.times.chunk_size, voice.times)

    def _built_in(self) -> ConversionBackend:
        return IdentityBackend() if self.state.bypass else self._create(self._conversion())

    def _conversion(self) -> ConversionConfig:
        return conversion_of(self.state.config, self._chosen_chunks, self._paths)

    def _on_measured(self) -> None:
        self._measured.set()
        self._on_change()

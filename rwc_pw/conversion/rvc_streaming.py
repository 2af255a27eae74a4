"""StreamingConverter: the voice's own network, block by block, every frame computed once."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.block_resampler import BlockResampler
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.conversion.stored_voice import StoredVoice
from rwc_pw.errors import ConversionError, RwcPwError, UsageError
from rwc_pw.rvc import gpu
from rwc_pw.rvc.compiled import VoiceCompiler, VoiceSources
from rwc_pw.rvc.cpu_step import CpuStep, DetectPitch
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.pitch import SalienceDetector, detect_pitch
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.step import Step, StepSettings
from rwc_pw.voices.index import BadIndexError
from rwc_pw.voices.rvc_voice import INDEX_FILE

log = logging.getLogger(__name__)

FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
REMOVE_AND_ADD = "Remove the voice, and add it again."
DAMAGE = (OSError, RuntimeError, ValueError, KeyError)  # what damaged files raise


class StreamingConverter(ConversionBackend):
    """Speaks in an RVC voice, on a GPU or else on the CPU, in chunks of ``config.chunk_samples``."""

    def __init__(self, config: ConversionConfig) -> None:
        """``config.model_path`` names the voice; ``UsageError`` if there is no such voice."""
        self._voice = StoredVoice(config)
        self._config = config
        self._plan = Plan(config.chunk_samples // FRAME_SAMPLES, config.look_ahead_frames)
        sources, ahead = (self._voice.folder, self._voice.assets_dir), config.look_ahead_frames
        self._compiler = VoiceCompiler(*sources, config.detector, ahead, self._voice.compiled_dir)
        self._resampler = BlockResampler(self._voice.facts.sample_rate_hz)
        self._stream: RvcStream | None = None
        self._is_on_gpu = False

    @property
    def latency_samples(self) -> int:
        """The look-ahead; half a frame, since a frame represents the sound at its beginning; and the resampling."""
        return self._plan.delay_frames * FRAME_SAMPLES + FRAME_SAMPLES // 2 + self._resampler.delay_samples

    def initialize(self) -> None:
        """Load the voice, compiling it if needed; ``UnavailableError`` without the extra or ContentVec."""
        stream = self._stream or self._load()
        if self._compiler.cancelled:
            raise ConversionError("the converter has been closed")
        self._set(stream, self._config)
        self._stream = stream
        with self._gpu_watched():
            self._reset(stream, np.zeros(0, np.float32))

    def compile(self, on_progress: Callable[[float], None]) -> None:
        """Compile the voice ahead of use, unless it is compiled; raises what ``initialize`` raises."""
        self._compiler.compile(on_progress)

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        """Convert (``chunk_samples``,) to as many; ``UsageError`` for any other length."""
        stream = self._stream
        if stream is None:
            raise ConversionError("the voice is not loaded")
        if len(audio_chunk) != self._plan.block_frames * FRAME_SAMPLES:
            raise UsageError(
                f"The chunk has {len(audio_chunk)} samples.", f"Give chunks of {self._config.chunk_samples}."
            )
        with self._gpu_watched():
            if context is not None:
                self._reset(stream, context)
            return self._resampler.give_out(stream.convert(self._resampler.take_in(audio_chunk)))

    def fade_out(self, audio_chunk: Samples) -> Samples:
        """The 10 ms already predicted with the previous block."""
        return self._resampler.give_out(self._stream.foreseen) if self._stream else np.zeros(0, np.float32)

    def adjust(self, config: ConversionConfig) -> bool:
        """Change pitch, index rate or protection from the next chunk on; anything else takes a new converter."""
        is_loaded = self._voice.is_meant_by(config)
        if is_loaded:
            self._config = config
            if stream := self._stream:
                self._set(stream, config)
        return is_loaded

    def cleanup(self) -> None:
        """End it for good; may be called from another thread while the voice is being loaded."""
        self._compiler.cancel()
        self._stream = None

    @contextmanager
    def _gpu_watched(self) -> Iterator[None]:
        """Turn the GPU's errors into ``ConversionError``, after which the voice is loaded for the CPU."""
        try:
            yield
        except RuntimeError as error:
            if not self._is_on_gpu:
                raise
            gpu.give_up(error)
            self._stream = None
            raise ConversionError(f"the GPU failed: {error}") from error

    def _load(self) -> RvcStream:
        retrieval = self._retrieval()
        if device := device_of(self._config):
            sources = self._compiler.sources()
            try:
                return self._open_on_gpu(sources, retrieval, device)
            except RuntimeError as error:
                gpu.give_up(error)
        self._is_on_gpu = False
        folders = self._compiler.compile()
        try:
            return self._open(*folders, retrieval)
        except DAMAGE as error:
            log.warning("the compiled voice cannot be used, and is made anew: %s", error)
        for folder in filter(None, folders):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            return self._open(*self._compiler.compile(), retrieval)
        except DAMAGE as error:
            raise RwcPwError(
                f"The voice {self._voice.facts.name} cannot be used: {error}.",
                REMOVE_AND_ADD,
            ) from error

    def _open(self, content: Path, network: Path, detector: Path | None, retrieval: Retrieval | None) -> RvcStream:
        def open_detector() -> DetectPitch:
            return SalienceDetector(detector, self._plan.window_samples) if detector else detect_pitch

        return self._tried(CpuStep(content, network, self._plan, open_detector, retrieval))

    def _open_on_gpu(self, sources: VoiceSources, retrieval: Retrieval | None, device: str) -> RvcStream:
        from rwc_pw.rvc.gpu_step import GpuStep

        self._is_on_gpu = True
        step = GpuStep(sources.contentvec, self._voice.folder, self._plan, sources.detector, retrieval, device)
        return self._tried(step)

    def _tried(self, step: Step) -> RvcStream:
        """Convert a first block; ``RuntimeError`` if the result is not finite."""
        stream = RvcStream(step, self._plan)
        block = stream.convert(np.ones(self._plan.block_frames * CONTENT_FRAME_SAMPLES, np.float32))
        if not np.isfinite(block).all():
            raise RuntimeError("it returned numbers that are not finite")
        return stream

    def _retrieval(self) -> Retrieval | None:
        if not self._voice.facts.has_index:
            return None
        path = self._voice.folder / INDEX_FILE
        try:
            return Retrieval(path)
        except (OSError, BadIndexError) as error:
            raise RwcPwError(f"{path} is damaged.", REMOVE_AND_ADD) from error

    def _set(self, stream: RvcStream, config: ConversionConfig) -> None:
        stream.settings = StepSettings(2 ** (config.pitch_shift / 12), config.index_rate, config.protect)

    def _reset(self, stream: RvcStream, before: Samples) -> None:
        stream.reset(self._resampler.reset(before))

"""StreamingConverter: the voice's own network, block by block, every frame computed once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.block_resampler import BlockResampler
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.network_loader import NetworkLoader
from rwc_pw.conversion.wanted_voice import WantedVoice
from rwc_pw.errors import ConversionError, UsageError
from rwc_pw.rvc import gpu
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.step import StepSettings

FRAME_SAMPLES = SAMPLE_RATE_HZ // 100


class StreamingConverter(ConversionBackend):
    """Speaks in an RVC voice, on a GPU or else on the CPU, in chunks of ``config.chunk_samples``."""

    def __init__(self, config: ConversionConfig) -> None:
        """``config.model_path`` names the voice, which is found once it is asked for."""
        self._voice = WantedVoice(config)
        self._config = config
        self._plan = Plan(config.chunk_samples // FRAME_SAMPLES, config.look_ahead_frames)
        self._loader = NetworkLoader(config, self._voice, self._plan)
        self._stream: RvcStream | None = None
        self._is_closed = False

    @property
    def latency_samples(self) -> int:
        """The look-ahead; half a frame, since a frame represents the sound at its beginning; and the resampling."""
        return self._plan.delay_frames * FRAME_SAMPLES + FRAME_SAMPLES // 2 + self._resampler.delay_samples

    @property
    def kind(self) -> object:
        return self._voice.kind

    def initialize(self) -> None:
        """Load the voice.

        ``UsageError`` if there is no such voice, ``UnavailableError`` without the extra or ContentVec.
        """
        stream = self._stream or self._loader.load()
        if self._is_closed:
            raise ConversionError("the converter has been closed")
        self._set(stream, self._config)
        self._stream = stream
        with self._gpu_watched():
            self._reset(stream, np.zeros(0, np.float32))

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
        self._is_closed = True
        self._stream = None

    @contextmanager
    def _gpu_watched(self) -> Iterator[None]:
        """Turn the GPU's errors into ``ConversionError``, after which the voice is loaded for the CPU."""
        try:
            yield
        except RuntimeError as error:
            if not self._loader.is_on_gpu:
                raise
            gpu.give_up(error)
            self._stream = None
            raise ConversionError(f"the GPU failed: {error}") from error

    @cached_property
    def _resampler(self) -> BlockResampler:
        return BlockResampler(self._voice.stored.facts.sample_rate_hz)

    def _set(self, stream: RvcStream, config: ConversionConfig) -> None:
        stream.settings = StepSettings(2 ** (config.pitch_shift / 12), config.index_rate, config.protect)

    def _reset(self, stream: RvcStream, before: Samples) -> None:
        stream.reset(self._resampler.reset(before))

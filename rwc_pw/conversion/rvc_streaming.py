"""StreamingConverter: the voice's own network, block by block, every frame computed once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.network_loader import NetworkLoader
from rwc_pw.conversion.wanted_voice import WantedVoice
from rwc_pw.errors import ConversionError, UsageError
from rwc_pw.rvc import gpu
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.plan import CONTENT_RATE_HZ, Plan
from rwc_pw.rvc.step import StepSettings
from rwc_pw.system.extra import load_module

FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
MARGINS_PER_S = 400  # 1/400 s before an input block, and after an output block, is resampled with it and cut off again


class StreamingConverter(ConversionBackend):
    """Speaks in an RVC voice, on a GPU or else on the CPU, in chunks of ``config.chunk_samples``."""

    def __init__(self, config: ConversionConfig) -> None:
        """``config.model_path`` names the voice, which is found once it is asked for."""
        self._voice = WantedVoice(config)
        self._config = config
        self._plan = Plan(config.chunk_samples // FRAME_SAMPLES, config.look_ahead_frames)
        self._loader = NetworkLoader(config, self._voice, self._plan)
        self._stream: RvcStream | None = None
        self._past_input: Samples
        self._past_output: Samples

    @property
    def latency_samples(self) -> int:
        """The look-ahead; half a frame, since a frame represents the sound at its beginning; and the resampling."""
        return self._plan.delay_frames * FRAME_SAMPLES + FRAME_SAMPLES // 2 + self._margin_samples

    @property
    def kind(self) -> object:
        return self._voice.kind

    def initialize(self) -> None:
        """Load the voice, compiling it if needed.

        ``UsageError`` if there is no such voice, ``UnavailableError`` without the extra or ContentVec.
        """
        stream = self._stream or self._loader.load()
        if self._loader.is_cancelled:
            raise ConversionError("the converter has been closed")
        self._set(stream, self._config)
        self._stream = stream
        with self._gpu_watched():
            self._reset(stream, np.zeros(0, np.float32))

    def compile(self, on_progress: Callable[[float], None]) -> None:
        """Compile the voice ahead of use, unless it is compiled; raises what ``initialize`` raises."""
        self._loader.compile(on_progress)

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        """Convert (``chunk_samples``,) to as many; ``UsageError`` for any other length."""
        import soxr

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
            recent = np.concatenate([self._past_input, audio_chunk])
            self._past_input = recent[-len(self._past_input) :]
            resampled: Samples = soxr.resample(recent, SAMPLE_RATE_HZ, CONTENT_RATE_HZ)
            # the previous block's end was resampled as if silence followed, so it is given again
            return self._at_48_khz(stream.convert(resampled[CONTENT_RATE_HZ // MARGINS_PER_S :]))

    def fade_out(self, audio_chunk: Samples) -> Samples:
        """The 10 ms already predicted with the previous block."""
        return self._at_48_khz(self._stream.foreseen) if self._stream else np.zeros(0, np.float32)

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
        self._loader.cancel()
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

    @property
    def _rate_hz(self) -> int:
        return self._voice.stored.facts.sample_rate_hz

    @property
    def _margin_samples(self) -> int:
        return 0 if self._rate_hz == SAMPLE_RATE_HZ else SAMPLE_RATE_HZ // MARGINS_PER_S

    def _set(self, stream: RvcStream, config: ConversionConfig) -> None:
        stream.settings = StepSettings(2 ** (config.pitch_shift / 12), config.index_rate, config.protect)

    def _reset(self, stream: RvcStream, before: Samples) -> None:
        soxr = load_module("soxr")
        stream.reset(np.asarray(soxr.resample(before, SAMPLE_RATE_HZ, CONTENT_RATE_HZ), np.float32))
        margins = 2 * SAMPLE_RATE_HZ // MARGINS_PER_S
        self._past_input = np.concatenate([np.zeros(margins, np.float32), before])[-margins:]
        self._past_output = np.zeros(2 * self._rate_hz // MARGINS_PER_S, np.float32)

    def _at_48_khz(self, block: Samples) -> Samples:
        """The block, resampled, ending one margin earlier: continuous resampling needs the sound that follows."""
        import soxr

        if not self._margin_samples:
            return block
        joined = np.concatenate([self._past_output, block])
        self._past_output = joined[-len(self._past_output) :]
        resampled: Samples = soxr.resample(joined, self._rate_hz, SAMPLE_RATE_HZ)
        return resampled[self._margin_samples : -self._margin_samples]

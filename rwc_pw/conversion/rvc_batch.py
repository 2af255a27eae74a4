"""BatchConverter: gives every chunk to ultimate-rvc as a file, in memory."""

import io
import shutil

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.audio.sola import Sola
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.wanted_voice import WantedVoice
from rwc_pw.errors import ConversionError
from rwc_pw.rvc.ultimate import UltimateRvc
from rwc_pw.system.extra import load_module

FRAME_SAMPLES = SAMPLE_RATE_HZ // 50  # ultimate-rvc converts whole frames of 20 ms,
MARGIN_SAMPLES = SAMPLE_RATE_HZ // 200  # and the last one only if 5 ms follow it
LEAST_PAST_SAMPLES = SAMPLE_RATE_HZ // 5
LONGEST_PAST_SAMPLES = LEAST_PAST_SAMPLES + Sola.overlap_samples + FRAME_SAMPLES


class BatchConverter(ConversionBackend):
    """Speaks in an RVC voice: chunk → WAV in memory → ultimate-rvc's ``convert()`` → the same length back.

    Each chunk is converted with a little of the preceding sound; the results overlap and are joined by SOLA.
    """

    def __init__(self, config: ConversionConfig) -> None:
        """``config.model_path`` names the voice, which is found once it is asked for."""
        self._voice = WantedVoice(config)
        self._rvc = UltimateRvc(self._voice.assets_dir, config.rvc_settings(), is_live=True)
        self._sola = Sola()
        self._reset()

    @property
    def latency_samples(self) -> int:
        """Samples that SOLA currently holds back."""
        return self._sola.latency_samples

    @property
    def kind(self) -> object:
        return self._voice.kind

    def initialize(self) -> None:
        """Load the voice, unless it is loaded.

        ``UsageError`` if there is no such voice, ``UnavailableError`` without the extra.
        """
        voice = self._voice.stored
        load_module("soxr")
        self._reset()
        if not self._rvc.is_alive:
            self._rvc.start(voice)

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        """Convert (n,) to (n,); ``ConversionError`` if ultimate-rvc fails."""
        if context is not None:
            self._reset()
            self._remember(context)
        recent = np.concatenate([self._past, audio_chunk])
        self._remember(audio_chunk)
        needed = len(audio_chunk) + self._sola.overlap_samples
        if not recent.any():
            return self._sola.join(np.zeros(needed, np.float32))
        window = -(-(needed + LEAST_PAST_SAMPLES) // FRAME_SAMPLES) * FRAME_SAMPLES
        return self._sola.join(self._convert(recent[-window:])[-needed:])

    def adjust(self, config: ConversionConfig) -> bool:
        """Change pitch, index rate or protection from the next chunk on; anything else takes a new converter."""
        is_loaded = self._voice.is_meant_by(config)
        if is_loaded:
            self._rvc.settings = config.rvc_settings()
        return is_loaded

    def cleanup(self) -> None:
        """End ultimate-rvc; may be called from another thread during a conversion."""
        self._rvc.close()

    def _reset(self) -> None:
        self._sola.reset()
        self._past = np.zeros(LONGEST_PAST_SAMPLES, np.float32)

    def _remember(self, sound: Samples) -> None:
        self._past = np.concatenate([self._past, sound])[-LONGEST_PAST_SAMPLES:]

    def _convert(self, sound: Samples) -> Samples:
        """Convert whole frames, (n,) to (n,)."""
        import soundfile
        import soxr

        margin = sound[-MARGIN_SAMPLES:][::-1]
        wav = io.BytesIO()
        soundfile.write(wav, np.concatenate([sound, margin]), SAMPLE_RATE_HZ, format="WAV", subtype="FLOAT")
        result = self._rvc.convert_content(wav.getvalue())
        converted, rate_hz = soundfile.read(result, dtype="float32")
        shutil.rmtree(result.parent)
        resampled = soxr.resample(converted, rate_hz, SAMPLE_RATE_HZ)
        if len(resampled) != len(sound):
            raise ConversionError(f"ultimate-rvc returned {len(resampled)} samples for {len(sound)}")
        return np.asarray(resampled, np.float32)

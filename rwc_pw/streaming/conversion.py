"""From what the user set to the converter that does it."""

from dataclasses import dataclass

from rwc_pw.streaming.backend import ConversionBackend
from rwc_pw.streaming.chain import VoiceChain
from rwc_pw.streaming.gate import NoiseGate
from rwc_pw.streaming.limiter import Limiter
from rwc_pw.streaming.vocoder import VocoderBackend
from rwc_pw.voices.builtin import BUILTIN_VOICES, DEFAULT_VOICE_NAME

GATE_HYSTERESIS_DB = 6.0


@dataclass(frozen=True)
class ConversionConfig:
    """What a conversion is to do; shifts are semitones added to the voice's own."""

    voice: str = DEFAULT_VOICE_NAME
    pitch_shift: float = 0.0
    formant_shift: float = 0.0
    gain_db: float = 0.0
    gate_db: float = -50.0
    """The microphone counts as silent below, in dBFS."""


def create_backend(config: ConversionConfig) -> ConversionBackend:
    """The converter, not yet initialised; ``UsageError`` where it would leave the voice recognisable."""
    voice = BUILTIN_VOICES[config.voice].with_shift(config.pitch_shift, config.formant_shift)
    gate = NoiseGate(open_db=config.gate_db, close_db=config.gate_db - GATE_HYSTERESIS_DB)
    return VoiceChain(VocoderBackend(voice), gate, Limiter(), config.gain_db)

"""Creates the converter for a configuration."""

from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.chain import VoiceChain
from rwc_pw.conversion.effects.formant import FormantShifter
from rwc_pw.conversion.effects.gain import Gain
from rwc_pw.conversion.effects.gate import HYSTERESIS_DB, NoiseGate
from rwc_pw.conversion.effects.limiter import Limiter
from rwc_pw.conversion.effects.loudness import LoudnessMix
from rwc_pw.conversion.vocoder.backend import VocoderBackend
from rwc_pw.voices.builtin import BUILTIN_VOICES


def create_backend(config: ConversionConfig) -> ConversionBackend:
    """The converter, not yet initialised; ``UsageError`` if it would leave the voice recognisable."""
    converter = _converter(config)
    return VoiceChain(
        converter,
        before=[NoiseGate(open_db=config.gate_db, close_db=config.gate_db - HYSTERESIS_DB)],
        after=[
            LoudnessMix(config.rms_mix_rate, converter.latency_samples),
            FormantShifter(config.formant_of_rvc),
            Gain(config.gain_db),
            Limiter(),
        ],
    )


def _converter(config: ConversionConfig) -> ConversionBackend:
    if config.model_path is not None:
        return config.rvc_backend.create(config)
    return VocoderBackend(BUILTIN_VOICES[config.voice].with_shift(config.pitch_shift, config.formant_shift))

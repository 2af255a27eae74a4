"""The conversion that the user's configuration asks for."""

from dataclasses import replace

from rwc_pw.config import Config, assets_dir_of
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.system.paths import Paths


def conversion_of(config: Config, chosen_chunks: ChosenChunks, paths: Paths) -> ConversionConfig:
    """The converter's configuration; ``chosen_chunks`` supplies the chunk size where the user pinned none."""
    conversion = ConversionConfig(
        voice=config.voice,
        pitch_shift=config.pitch,
        formant_shift=config.formant,
        gain_db=config.gain,
        gate_db=config.gate,
        paths=paths,
    )
    if not config.is_rvc:
        return conversion
    conversion = replace(
        conversion,
        model_path=paths.voices_dir / config.voice,
        assets_dir=assets_dir_of(config, paths),
        chunk_size=config.rvc_chunk_size or config.rvc_converter.first_chunk,
        backend=config.rvc_backend,
        index_rate=config.index_rate,
        protect=config.protect,
        rms_mix_rate=config.rms_mix_rate,
        f0_method=config.f0_method,
        look_ahead=config.look_ahead,
    )
    chosen = chosen_chunks.get(conversion) if is_chunk_ours(config) else None
    return replace(conversion, chunk_size=chosen) if chosen else conversion


def is_chunk_ours(config: Config) -> bool:
    """Return whether we choose the chunk size: the user pinned none."""
    return config.is_rvc and config.rvc_converter.adapts_chunk and not config.rvc_chunk_size

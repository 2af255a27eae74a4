"""The networks of everybody's voices (RVC-Project's configs), and small ones of the same form."""

from dataclasses import replace

from rwc_pw.voices.architecture import FEATURES, Architecture

__all__ = ["FEATURES", "UPSAMPLING", "architecture"]

SPECTRUM_BINS = {32_000: 513, 40_000: 1025, 48_000: 1025}
UPSAMPLING = {  # rates and kernels of the decoder's stages
    ("v1", 32_000): ((10, 4, 2, 2, 2), (16, 16, 4, 4, 4)),
    ("v1", 40_000): ((10, 10, 2, 2), (16, 16, 4, 4)),
    ("v1", 48_000): ((10, 6, 2, 2, 2), (16, 16, 4, 4, 4)),
    ("v2", 32_000): ((10, 8, 2, 2), (20, 16, 4, 4)),
    ("v2", 40_000): ((10, 10, 2, 2), (16, 16, 4, 4)),
    ("v2", 48_000): ((12, 10, 2, 2), (24, 20, 4, 4)),
}


def architecture(version: str, rate_hz: int, has_pitch: bool, speakers: int, is_small: bool) -> Architecture:
    """A voice's network; the small one's last stage has just the two channels that carry a sine's both signs."""
    rates, kernels = UPSAMPLING[version, rate_hz]
    usual = Architecture(
        version=version,
        has_pitch=has_pitch,
        spectrum_bins=SPECTRUM_BINS[rate_hz],
        segment_frames=32,
        inter=192,
        hidden=192,
        filter=768,
        heads=2,
        layers=6,
        kernel=3,
        dropout=0,
        resblock_kernels=(3, 7, 11),
        resblock_dilations=((1, 3, 5),) * 3,
        upsample_rates=rates,
        upsample=512,
        upsample_kernels=kernels,
        speakers=speakers,
        speaker_channels=256,
        sample_rate_hz=rate_hz,
    )
    if not is_small:
        return usual
    few = {"inter": 8, "hidden": 8, "filter": 16, "layers": 1, "upsample": 2 ** (len(rates) + 1)}
    return replace(usual, **few, resblock_kernels=(3,), resblock_dilations=((1, 3, 5),))

"""The network that a voice's file declares: the names and shapes of its weights, as RVC's training writes them.

RVC-Project's ``infer/lib/infer_pack/models.py``, ``configs/v1`` and ``configs/v2``; checked against ultimate-rvc's
``Synthesizer``.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

FEATURES = {"v1": 256, "v2": 768}
"""Number of ContentVec's features per frame."""
SAMPLE_RATES_HZ = (32_000, 40_000, 48_000)
FLOWS = (0, 2, 4, 6)  # every other one only reverses the channels and has no weights
WAVENET_LAYERS = 3
RELATIVE_POSITIONS = 21
PITCH_EMBEDDINGS = 256
CONFIG_LENGTH = 18
MOST_SPEAKERS = 4096
MOST_WEIGHTS = 250_000_000  # five times those of common voices

Shapes = Iterator[tuple[str, tuple[int, ...]]]


class ArchitectureError(ValueError):
    """The declaration is not that of an RVC voice; the message says why, as the end of a sentence."""


@dataclass(frozen=True)
class Architecture:
    """One voice's network; convolution lengths are in samples of their input."""

    version: str
    has_pitch: bool
    spectrum_bins: int
    segment_frames: int
    inter: int
    hidden: int
    filter: int
    heads: int
    layers: int
    kernel: int
    dropout: float
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    upsample_rates: tuple[int, ...]
    upsample: int
    upsample_kernels: tuple[int, ...]
    speakers: int
    speaker_channels: int
    sample_rate_hz: int

    @classmethod
    def from_config(cls, config: Any, version: Any, has_pitch: Any, speakers: int) -> Self:
        """Read a file's ``config``, ``version`` and ``f0``; ``ArchitectureError`` if that is no voice.

        ``speakers`` comes from the weights: training leaves another number in the config.
        """
        _check(
            isinstance(config, list) and len(config) == CONFIG_LENGTH, f"its config is not {CONFIG_LENGTH} entries long"
        )
        _check(isinstance(version, str) and version in FEATURES, "it is neither of version v1 nor v2")
        _check(
            isinstance(has_pitch, int | float) and has_pitch in (0, 1), "it does not say whether it follows the pitch"
        )
        _check(isinstance(config[9], str) and config[9] == "1", "its residual blocks are not of kind 1")
        architecture = cls(
            version=version,
            has_pitch=bool(has_pitch),
            spectrum_bins=_whole(config[0], 4096),
            segment_frames=_whole(config[1], 4096),
            inter=_whole(config[2], 1024),
            hidden=_whole(config[3], 1024),
            filter=_whole(config[4], 4096),
            heads=_whole(config[5], 16),
            layers=_whole(config[6], 16),
            kernel=_whole(config[7], 15),
            dropout=_dropout(config[8]),
            resblock_kernels=_wholes(config[10], 31),
            resblock_dilations=tuple(_wholes(dilations, 64) for dilations in _list(config[11])),
            upsample_rates=_wholes(config[12], 32),
            upsample=_whole(config[13], 2048),
            upsample_kernels=_wholes(config[14], 64),
            speakers=_whole(speakers, MOST_SPEAKERS),
            speaker_channels=_whole(config[16], 1024),
            sample_rate_hz=_whole(config[17], 96_000),
        )
        architecture._check_together()
        return architecture

    @property
    def config(self) -> list[Any]:
        """The 18 entries with which a file declares the network."""
        encoder = [self.inter, self.hidden, self.filter, self.heads, self.layers, self.kernel, self.dropout]
        resblocks = ["1", list(self.resblock_kernels), [list(dilations) for dilations in self.resblock_dilations]]
        decoder = [list(self.upsample_rates), self.upsample, list(self.upsample_kernels)]
        ends = [self.speakers, self.speaker_channels, self.sample_rate_hz]
        return [self.spectrum_bins, self.segment_frames, *encoder, *resblocks, *decoder, *ends]

    def shapes(self) -> Shapes:
        """Each weight's name and shape, except those of the posterior encoder, which only training needs."""
        yield from self._text_encoder()
        yield from self._decoder()
        yield from self._flow()
        yield "emb_g.weight", (self.speakers, self.speaker_channels)

    def _check_together(self) -> None:
        _check(self.sample_rate_hz in SAMPLE_RATES_HZ, f"its rate is {self.sample_rate_hz} Hz")
        _check(math.prod(self.upsample_rates) == self.sample_rate_hz // 100, "its upsampling does not give its rate")
        _check(len(self.upsample_kernels) == len(self.upsample_rates), "its upsampling kernels do not fit its rates")
        _check(self.upsample % 2 ** len(self.upsample_rates) == 0, "its channels cannot be halved at each stage")
        _check(len(self.resblock_dilations) == len(self.resblock_kernels), "its dilations do not fit its kernels")
        _check(all(len(dilations) == 3 for dilations in self.resblock_dilations), "its dilations are not three each")
        _check(self.inter % 2 == 0 and self.hidden % self.heads == 0, "its channels cannot be shared out")
        _check(sum(math.prod(shape) for _, shape in self.shapes()) <= MOST_WEIGHTS, "it is larger than any voice")

    def _text_encoder(self) -> Shapes:
        hidden = self.hidden
        yield from _biased("enc_p.emb_phone", hidden, FEATURES[self.version])
        if self.has_pitch:
            yield "enc_p.emb_pitch.weight", (PITCH_EMBEDDINGS, hidden)
        for layer in range(self.layers):
            attention = f"enc_p.encoder.attn_layers.{layer}"
            yield f"{attention}.emb_rel_k", (1, RELATIVE_POSITIONS, hidden // self.heads)
            yield f"{attention}.emb_rel_v", (1, RELATIVE_POSITIONS, hidden // self.heads)
            for name in "qkvo":
                yield from _biased(f"{attention}.conv_{name}", hidden, hidden, 1)
            yield from _biased(f"enc_p.encoder.ffn_layers.{layer}.conv_1", self.filter, hidden, self.kernel)
            yield from _biased(f"enc_p.encoder.ffn_layers.{layer}.conv_2", hidden, self.filter, self.kernel)
            for norm in ("norm_layers_1", "norm_layers_2"):
                yield f"enc_p.encoder.{norm}.{layer}.gamma", (hidden,)
                yield f"enc_p.encoder.{norm}.{layer}.beta", (hidden,)
        yield from _biased("enc_p.proj", 2 * self.inter, hidden, 1)

    def _decoder(self) -> Shapes:
        yield from _biased("dec.conv_pre", self.upsample, self.inter, 7)
        yield from _biased("dec.cond", self.upsample, self.speaker_channels, 1)
        if self.has_pitch:
            yield from _biased("dec.m_source.l_linear", 1, 1)
        channels, stride = self.upsample, self.sample_rate_hz // 100
        for stage, (rate, kernel) in enumerate(zip(self.upsample_rates, self.upsample_kernels, strict=True)):
            yield from _normed(f"dec.ups.{stage}", channels, channels // 2, kernel, biases=channels // 2)
            channels, stride = channels // 2, stride // rate
            if self.has_pitch:
                yield from _biased(f"dec.noise_convs.{stage}", channels, 1, 2 * stride if stride > 1 else 1)
            for number, resblock_kernel in enumerate(self.resblock_kernels):
                resblock = f"dec.resblocks.{stage * len(self.resblock_kernels) + number}"
                for convolution in (f"{resblock}.convs{half}.{at}" for half in (1, 2) for at in range(3)):
                    yield from _normed(convolution, channels, channels, resblock_kernel)
        yield "dec.conv_post.weight", (1, channels, 7)

    def _flow(self) -> Shapes:
        half, hidden = self.inter // 2, self.hidden
        for flow in (f"flow.flows.{number}" for number in FLOWS):
            yield from _biased(f"{flow}.pre", hidden, half, 1)
            yield from _normed(f"{flow}.enc.cond_layer", 2 * hidden * WAVENET_LAYERS, self.speaker_channels, 1)
            for layer in range(WAVENET_LAYERS):
                yield from _normed(f"{flow}.enc.in_layers.{layer}", 2 * hidden, hidden, 5)
                outputs = hidden if layer == WAVENET_LAYERS - 1 else 2 * hidden
                yield from _normed(f"{flow}.enc.res_skip_layers.{layer}", outputs, hidden, 1)
            yield from _biased(f"{flow}.post", half, hidden, 1)


def _biased(name: str, outputs: int, *others: int) -> Shapes:
    yield f"{name}.weight", (outputs, *others)
    yield f"{name}.bias", (outputs,)


def _normed(name: str, first: int, *others: int, biases: int | None = None) -> Shapes:
    """A weight-normalised convolution (Salimans and Kingma, 2016): magnitude ``g`` and direction ``v``."""
    yield f"{name}.weight_g", (first, 1, 1)
    yield f"{name}.weight_v", (first, *others)
    yield f"{name}.bias", (first if biases is None else biases,)


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise ArchitectureError(problem)


def _whole(value: Any, most: int) -> int:
    _check(type(value) is int and 1 <= value <= most, "its config holds a number that no voice has")
    return int(value)


def _dropout(value: Any) -> float:
    _check(type(value) in (int, float) and 0 <= value < 1, "its config holds a number that no voice has")
    return value  # type: ignore[no-any-return]  # just checked


def _list(value: Any) -> Sequence[Any]:
    _check(isinstance(value, list) and 1 <= len(value) <= 8, "its config holds a list that no voice has")
    return list(value)


def _wholes(value: Any, most: int) -> tuple[int, ...]:
    return tuple(_whole(item, most) for item in _list(value))

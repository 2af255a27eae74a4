"""The generator: the flow's frames and a source become sound (NSF-HiFiGAN; Kong et al., 2020; Wang et al., 2019)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rwc_pw.rvc.network.carry import Carry, Conv, Upsample, Weights
from rwc_pw.voices.architecture import Architecture

SLOPE = 0.1
LAST_SLOPE = 0.01


class Generator(nn.Module):
    """(1, inter, n) frames to (1, 1, n · samples per frame) of sound; sees 9 to 13 frames ahead and as many back."""

    def __init__(self, weights: Weights, network: Architecture, speaker: Tensor) -> None:
        super().__init__()
        self._pre = Conv(weights, "dec.conv_pre")
        self.register_buffer("_condition", Conv(weights, "dec.cond")(speaker, Carry(0)))
        self._stages = nn.ModuleList(_Stage(weights, network, number) for number in range(len(network.upsample_rates)))
        self._post = Conv(weights, "dec.conv_post", per_frame=math.prod(network.upsample_rates))

    def forward(self, frames: Tensor, source: Tensor | None, carry: Carry) -> Tensor:
        """``source``, (1, 1, n · samples per frame), is given if the voice follows the pitch."""
        block = self._pre(frames, carry) + self._condition
        for stage in self._stages:
            block = stage(functional.leaky_relu(block, SLOPE), source, carry)
        return torch.tanh(self._post(functional.leaky_relu(block, LAST_SLOPE), carry))


class _Stage(nn.Module):
    """Upsamples to fewer channels, adds the source, and averages the residual blocks."""

    def __init__(self, weights: Weights, network: Architecture, number: int) -> None:
        super().__init__()
        rates = network.upsample_rates
        self._up = Upsample(weights, f"dec.ups.{number}", rates[number], math.prod(rates[:number]))
        per_frame, samples = math.prod(rates[: number + 1]), math.prod(rates[number + 1 :])
        self._source = _Source(weights, f"dec.noise_convs.{number}", samples, per_frame) if network.has_pitch else None
        first = number * len(network.resblock_kernels)
        self._resblocks = nn.ModuleList(
            _ResBlock(weights, f"dec.resblocks.{first + at}", dilations, per_frame)
            for at, dilations in enumerate(network.resblock_dilations)
        )

    def forward(self, block: Tensor, source: Tensor | None, carry: Carry) -> Tensor:
        block = self._up(block, carry)
        if self._source is not None:
            block = block + self._source(source, carry)
        total = torch.zeros_like(block)
        for resblock in self._resblocks:
            total = total + resblock(block, carry)
        return total / len(self._resblocks)


class _Source(nn.Module):
    """Downsamples the source by ``samples``, so that it has ``per_frame`` values per frame, as this stage has."""

    def __init__(self, weights: Weights, name: str, samples: int, per_frame: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(weights[f"{name}.weight"])
        self.bias = nn.Parameter(weights[f"{name}.bias"])
        self._samples = samples
        self._per_frame = samples * per_frame
        self._padding = (self.weight.shape[-1] - samples) // 2

    def forward(self, source: Tensor, carry: Carry) -> Tensor:
        joined = functional.pad(carry.join(source, self._padding, self._per_frame), (0, self._padding))
        return functional.conv1d(joined, self.weight, self.bias, stride=self._samples)


class _ResBlock(nn.Module):
    def __init__(self, weights: Weights, name: str, dilations: tuple[int, ...], per_frame: int) -> None:
        super().__init__()
        first, second = (
            [Conv(weights, f"{name}.{convs}.{at}", by, per_frame) for at, by in enumerate(dilated)]
            for convs, dilated in (("convs1", dilations), ("convs2", [1] * len(dilations)))
        )
        self._first, self._second = nn.ModuleList(first), nn.ModuleList(second)

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        for first, second in zip(self._first, self._second, strict=True):
            changed = functional.leaky_relu(first(functional.leaky_relu(block, SLOPE), carry), SLOPE)
            block = block + second(changed, carry)
        return block

"""Convolutions over a stream of blocks; what each needs of earlier blocks is explicit state."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Weights = Mapping[str, Tensor]


class Carry:
    """The state from one block to the next: pieces of the past, in the order in which the network asks for them.

    A block's last frames may be provisional: the look-ahead of those before, given again as the first frames of the
    next block. Beyond the block's end there are zeros. Everything is counted from the block's end, so that a traced
    network takes blocks of any length.
    """

    def __init__(self, provisional_frames: int, before: Sequence[Tensor] | None = None) -> None:
        """``before`` is the previous block's ``after``; without it, the past is zeros."""
        self.provisional_frames = provisional_frames
        self._before: Iterator[Tensor] | None = None if before is None else iter(before)
        self.after: list[Tensor] = []

    def join(self, block: Tensor, length: int, per_frame: int) -> Tensor:
        """``block``, (…, n), with ``per_frame`` values per frame, preceded by the last ``length`` values before it."""
        if not length:
            return block
        before = block.new_zeros((*block.shape[:-1], length)) if self._before is None else next(self._before)
        joined = torch.cat([before, block], dim=-1)
        provisional = self.provisional_frames * per_frame
        self.after.append(joined[..., -provisional - length : -provisional or None])
        return joined


class Conv(nn.Module):
    """A convolution, (channels, n) to (channels, n), centred on each value."""

    def __init__(self, weights: Weights, name: str, dilation: int = 1, per_frame: int = 1) -> None:
        """There are ``per_frame`` values per frame."""
        super().__init__()
        self.weight = nn.Parameter(weights[f"{name}.weight"])
        self.bias = nn.Parameter(weights[f"{name}.bias"]) if f"{name}.bias" in weights else None
        self._dilation = dilation
        self._per_frame = per_frame
        self._reach = (self.weight.shape[-1] - 1) // 2 * dilation

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        joined = functional.pad(carry.join(block, self._reach, self._per_frame), (0, self._reach))
        return functional.conv1d(joined, self.weight, self.bias, dilation=self._dilation)


class Upsample(nn.Module):
    """A transposed convolution: (channels, n) to (fewer, n · rate).

    It is computed as ``rate`` convolutions at once, one per phase of the output, which compilers optimise better
    (Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016).
    """

    def __init__(self, weights: Weights, name: str, rate: int, per_frame: int) -> None:
        """There are ``per_frame`` input values per frame."""
        super().__init__()
        weight = weights[f"{name}.weight"]
        self._rate = rate
        self._per_frame = per_frame
        kernel = weight.shape[-1]
        first = (kernel - rate) // 2  # the kernel value at the output's first phase
        self._past = (kernel - 1 - first) // rate
        self._future = (rate - 1 + first) // rate
        ahead = self._future * rate - first
        taps = functional.pad(weight, (ahead, (self._past + self._future + 1) * rate - ahead - kernel))
        by_tap = taps.reshape(*weight.shape[:2], -1, rate)  # (in, out, latest to earliest, phase)
        self.weight = nn.Parameter(by_tap.flip(2).permute(1, 3, 0, 2).reshape(-1, weight.shape[0], by_tap.shape[2]))
        self.bias = nn.Parameter(weights[f"{name}.bias"].repeat_interleave(rate))

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        joined = functional.pad(carry.join(block, self._past, self._per_frame), (0, self._future))
        phases = functional.conv1d(joined, self.weight, self.bias).unflatten(1, (-1, self._rate))
        return phases.transpose(2, 3).flatten(2)


def without_weight_norm(weights: Weights) -> dict[str, Tensor]:
    """Multiply out weight normalisation (Salimans and Kingma, 2016); the result is float32."""
    plain = {}
    for name, weight in weights.items():
        if name.endswith(".weight_v"):
            base = name.removesuffix("_v")
            length = weights[f"{base}_g"].float()
            direction = weight.float()
            plain[base] = direction * (length / torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True))
        elif not name.endswith(".weight_g"):
            plain[name] = weight.float()
    return plain

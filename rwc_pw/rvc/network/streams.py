"""Convolutions over a stream of blocks: what each needs of the blocks before is state, in plain sight."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Weights = Mapping[str, Tensor]


class Carry:
    """What goes from one block to the next: pieces of the past, in the order in which the network asks for them.

    A block's last frames may be provisional: those before look ahead to them, and they come again as the first ones of
    the next block. What looks beyond the block's end sees zeros. Everything is counted from the block's end, so that a
    traced network takes blocks of any length.
    """

    def __init__(self, provisional_frames: int, before: Sequence[Tensor] | None = None) -> None:
        """``before`` is ``after`` of the block before; without it, the past is zeros."""
        self.provisional_frames = provisional_frames
        self._before: Iterator[Tensor] | None = None if before is None else iter(before)
        self.after: list[Tensor] = []

    def join(self, block: Tensor, length: int, per_frame: int) -> Tensor:
        """``block``, (…, n), of which ``per_frame`` values are one frame, behind the ``length`` ones before it."""
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
        """``per_frame`` of the values are one frame."""
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
    """A transposed convolution: (channels, n) to (fewer, n · rate)."""

    def __init__(self, weights: Weights, name: str, rate: int, per_frame: int) -> None:
        """``per_frame`` of the values that come in are one frame."""
        super().__init__()
        self.weight = nn.Parameter(weights[f"{name}.weight"])
        self.bias = nn.Parameter(weights[f"{name}.bias"])
        self._rate = rate
        self._per_frame = per_frame
        overlap = self.weight.shape[-1] - rate
        self._past = -(-overlap // rate)
        self._first = self._past * rate + overlap // 2
        self._unfinished = overlap - overlap // 2  # at the end

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        joined = carry.join(block, self._past, self._per_frame)
        raised = functional.conv_transpose1d(joined, self.weight, self.bias, stride=self._rate)
        return raised[..., self._first : -self._unfinished or None]


def without_weight_norm(weights: Weights) -> dict[str, Tensor]:
    """The same weights with each length and direction (Salimans and Kingma, 2016) multiplied into one, in float32."""
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

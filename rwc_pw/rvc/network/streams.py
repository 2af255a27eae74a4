"""Convolutions over a stream of blocks: what each needs of the blocks before is state, in plain sight."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Weights = Mapping[str, Tensor]


class Carry:
    """What goes from one block to the next: pieces of the past, in the order in which the network asks for them."""

    def __init__(self, before: Sequence[Tensor] | None = None) -> None:
        """``before`` is ``after`` of the block before; without it, the past is silence."""
        self._before: Iterator[Tensor] | None = None if before is None else iter(before)
        self.after: list[Tensor] = []

    def join(self, block: Tensor, length: int) -> Tensor:
        """``block``, (…, n), behind the ``length`` values that came before it."""
        if not length:
            return block
        before = block.new_zeros((*block.shape[:-1], length)) if self._before is None else next(self._before)
        joined = torch.cat([before, block], dim=-1)
        self.after.append(joined[..., joined.shape[-1] - length :])
        return joined

    def delay(self, block: Tensor, length: int) -> Tensor:
        """As many values, ``length`` later."""
        return self.join(block, length)[..., : block.shape[-1]]


class Conv(nn.Module):
    """A convolution whose output is as long as its input, and lies ``ahead`` behind it: so far it looks ahead."""

    def __init__(self, weights: Weights, name: str, dilation: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(weights[f"{name}.weight"])
        self.bias = nn.Parameter(weights[f"{name}.bias"]) if f"{name}.bias" in weights else None
        self.dilation = dilation
        self.ahead = (self.weight.shape[-1] - 1) // 2 * dilation

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        joined = carry.join(block, 2 * self.ahead)
        return functional.conv1d(joined, self.weight, self.bias, dilation=self.dilation)


class Upsample(nn.Module):
    """A transposed convolution: (channels, n) to (fewer, n · rate), ``ahead`` of its own samples behind."""

    def __init__(self, weights: Weights, name: str, rate: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(weights[f"{name}.weight"])
        self.bias = nn.Parameter(weights[f"{name}.bias"])
        self.rate = rate
        kernel = self.weight.shape[-1]
        self.ahead = (kernel - rate) // 2
        self._past = -(-(kernel - rate) // rate) + 1

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        raised = functional.conv_transpose1d(carry.join(block, self._past), self.weight, self.bias, stride=self.rate)
        # the last samples still wait for the next block's share: `ahead` of them, and what the kernel reaches beyond
        end = (self._past + block.shape[-1]) * self.rate
        return raised[..., end - block.shape[-1] * self.rate : end]


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

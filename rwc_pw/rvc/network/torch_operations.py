"""The operations as torch computes them, on a GPU or the CPU."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


class TorchOperations:
    """Computes at once, on ``device``, in ``precision``."""

    def __init__(self, device: str, precision: torch.dtype) -> None:
        self._device = device
        self._precision = precision
        self._grus: dict[int, torch.nn.GRU] = {}

    def constant(self, array: NDArray[Any]) -> Tensor:
        kind = self._precision if array.dtype.kind == "f" else torch.int64
        return torch.tensor(array, dtype=kind, device=self._device)

    def past(self, shape: Sequence[int]) -> Tensor:
        return torch.zeros(*shape, dtype=self._precision, device=self._device)

    def size(self, value: Tensor, axis: int) -> int:
        return value.shape[axis]

    def conv1d(
        self,
        value: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        padding: int = 0,
    ) -> Tensor:
        return functional.conv1d(value, weight, bias, stride, padding, dilation, groups)

    def conv2d(self, value: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.conv2d(value, weight, bias, padding=weight.shape[-1] // 2)

    def conv2d_doubled(self, value: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.conv_transpose2d(value, weight, bias, stride=2, padding=1, output_padding=1)

    def pooled(self, value: Tensor) -> Tensor:
        return functional.avg_pool2d(value, 2)

    def gru(self, value: Tensor, weights: Sequence[NDArray[Any]], backward: Sequence[NDArray[Any]]) -> Tensor:
        if id(weights) not in self._grus:
            self._grus[id(weights)] = self._gru(weights, backward)
        output: Tensor = self._grus[id(weights)](value)[0]
        return output

    def matmul(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right

    def linear(self, value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return functional.linear(value, weight, bias)

    def concat(self, values: Sequence[Tensor], axis: int) -> Tensor:
        return torch.cat(list(values), axis)

    def part(self, value: Tensor, axis: int, start: int | None, stop: int | None) -> Tensor:
        first, last, _ = slice(start, stop).indices(value.shape[axis])
        return value.narrow(axis, first, last - first)

    def padded(self, value: Tensor, axis: int, before: int, after: int) -> Tensor:
        skipped = (value.ndim - 1 - axis % value.ndim) * (0, 0)
        return functional.pad(value, (*skipped, before, after))

    def reshaped(self, value: Tensor, shape: Sequence[int]) -> Tensor:
        return value.reshape(*shape)

    def transposed(self, value: Tensor, order: Sequence[int]) -> Tensor:
        return value.permute(*order)

    def taken(self, value: Tensor, indices: Tensor, axis: int) -> Tensor:
        return torch.index_select(value, axis, indices)

    def taken_along(self, value: Tensor, indices: Tensor, axis: int) -> Tensor:
        return torch.gather(value, axis, indices)

    def normalized(self, value: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
        variance, mean = torch.var_mean(value.float(), list(axes), correction=0, keepdim=True)  # float16 would overflow
        return ((value - mean) * torch.rsqrt(variance + epsilon)).to(value.dtype)

    def softmax(self, value: Tensor) -> Tensor:
        return functional.softmax(value, -1)

    def scaled(self, value: Tensor, factor: float) -> Tensor:
        return value * factor

    def at_least(self, value: Tensor, least: float) -> Tensor:
        return value.clamp(min=least)

    def exp(self, value: Tensor) -> Tensor:
        return torch.exp(value)

    def log(self, value: Tensor) -> Tensor:
        return torch.log(value)

    def tanh(self, value: Tensor) -> Tensor:
        return torch.tanh(value)

    def sigmoid(self, value: Tensor) -> Tensor:
        return torch.sigmoid(value)

    def relu(self, value: Tensor) -> Tensor:
        return functional.relu(value)

    def leaky_relu(self, value: Tensor, slope: float) -> Tensor:
        return functional.leaky_relu(value, slope)

    def gelu(self, value: Tensor) -> Tensor:
        return functional.gelu(value)

    def _gru(self, weights: Sequence[NDArray[Any]], backward: Sequence[NDArray[Any]]) -> torch.nn.GRU:
        states, inputs = weights[1].shape[1], weights[0].shape[1]
        gru = torch.nn.GRU(inputs, states, batch_first=True, bidirectional=True, device=self._device)
        gru.to(self._precision).flatten_parameters()
        names = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"
        for ending, direction in (("", weights), ("_reverse", backward)):
            for name, array in zip(names, direction, strict=True):
                getattr(gru, name + ending).data.copy_(self.constant(array))
        return gru

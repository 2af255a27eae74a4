"""Layers that several networks have."""

from rwc_pw.rvc.network.carry import Weights
from rwc_pw.rvc.network.operations import Operations, Value


class Linear:
    """A linear layer, (…, in) to (…, out); also for those that are stored as convolutions over one frame."""

    def __init__(self, operations: Operations, weights: Weights, name: str) -> None:
        weight = weights[f"{name}.weight"]
        self._operations = operations
        self._weight = operations.constant(weight[:, :, 0] if weight.ndim == 3 else weight)
        self._bias = operations.constant(weights[f"{name}.bias"])

    def __call__(self, frames: Value) -> Value:
        return self._operations.linear(frames, self._weight, self._bias)


class LayerNorm:
    """Normalises the last axis (Ba et al., 2016)."""

    def __init__(
        self, operations: Operations, weights: Weights, name: str, parts: tuple[str, str] = ("weight", "bias")
    ) -> None:
        self._operations = operations
        self._scale, self._shift = (operations.constant(weights[f"{name}.{part}"]) for part in parts)

    def __call__(self, frames: Value) -> Value:
        return self._operations.normalized(frames, [2], 1e-5) * self._scale + self._shift


class GroupNorm:
    """Normalises groups of channels over time: (1, channels, n) to (1, channels, n) (Wu and He, 2018)."""

    def __init__(self, operations: Operations, weights: Weights, name: str, groups: int) -> None:
        self._operations = operations
        self._groups = groups
        self._scale, self._shift = (
            operations.constant(weights[f"{name}.{part}"].reshape(1, -1, 1)) for part in ("weight", "bias")
        )

    def __call__(self, block: Value) -> Value:
        ops = self._operations
        normal = ops.normalized(ops.reshaped(block, [1, self._groups, -1]), [2], 1e-5)
        return ops.reshaped(normal, [1, ops.size(block, 1), -1]) * self._scale + self._shift


def split_heads(operations: Operations, frames: Value, heads: int) -> Value:
    """Split (1, n, width) into (1, heads, n, width / heads)."""
    width = operations.size(frames, 2) // heads
    return operations.transposed(operations.reshaped(frames, [1, -1, heads, width]), [0, 2, 1, 3])


def join_heads(operations: Operations, mixed: Value) -> Value:
    """Join (1, heads, n, width / heads) to (1, n, width)."""
    width = operations.size(mixed, 1) * operations.size(mixed, 3)
    return operations.reshaped(operations.transposed(mixed, [0, 2, 1, 3]), [1, -1, width])

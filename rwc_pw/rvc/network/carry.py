"""The state of a stream of blocks, and the convolutions that need it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.network.operations import Operations, Value

Weights = Mapping[str, NDArray[Any]]


class Carry:
    """The state from one block to the next: pieces of the past, in the order in which the network asks for them.

    A block's last frames may be provisional: the look-ahead of those before, given again as the first frames of the
    next block. Beyond the block's end there are zeros.
    """

    def __init__(self, operations: Operations, provisional_frames: int, before: Sequence[Value] | None = None) -> None:
        """``before`` is the previous block's ``after``; without it, the past is zeros."""
        self.provisional_frames = provisional_frames
        self._operations = operations
        self._before: Iterator[Value] | None = None if before is None else iter(before)
        self.after: list[Value] = []

    def join(self, block: Value, length: int, per_frame: int) -> Value:
        """``block``, (1, channels, n), with ``per_frame`` values per frame, after the ``length`` values before it."""
        if not length:
            return block
        ops = self._operations
        before = ops.past([1, ops.size(block, 1), length]) if self._before is None else next(self._before)
        joined = ops.concat([before, block], 2)
        provisional = self.provisional_frames * per_frame
        self.after.append(ops.part(joined, 2, -provisional - length, -provisional or None))
        return joined


class Conv:
    """A convolution, (1, channels, n) to (1, channels, n), centred on each value."""

    def __init__(self, operations: Operations, weights: Weights, name: str, dilation: int = 1, per_frame: int = 1):
        """There are ``per_frame`` values per frame."""
        kernel, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
        self._operations = operations
        self._weight = operations.constant(kernel)
        self._bias = None if bias is None else operations.constant(bias)
        self._dilation = dilation
        self._per_frame = per_frame
        self._reach = (kernel.shape[-1] - 1) // 2 * dilation

    def __call__(self, block: Value, carry: Carry) -> Value:
        ops = self._operations
        joined = ops.padded(carry.join(block, self._reach, self._per_frame), 2, 0, self._reach)
        return ops.conv1d(joined, self._weight, self._bias, dilation=self._dilation)


class Upsample:
    """A transposed convolution: (1, channels, n) to (1, fewer, n · rate).

    It is computed as ``rate`` convolutions at once, one per phase of the output, which compilers optimise better
    (Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016).
    """

    def __init__(self, operations: Operations, weights: Weights, name: str, rate: int, per_frame: int) -> None:
        """There are ``per_frame`` input values per frame."""
        weight = weights[f"{name}.weight"]
        self._operations = operations
        self._rate = rate
        self._per_frame = per_frame
        kernel = weight.shape[-1]
        first = (kernel - rate) // 2  # the kernel value at the output's first phase
        self._past = (kernel - 1 - first) // rate
        self._future = (rate - 1 + first) // rate
        ahead = self._future * rate - first
        after = (self._past + self._future + 1) * rate - ahead - kernel
        taps = np.pad(weight, ((0, 0), (0, 0), (ahead, after)))
        by_tap = taps.reshape(*weight.shape[:2], -1, rate)  # (in, out, latest to earliest, phase)
        phases = by_tap[:, :, ::-1].transpose(1, 3, 0, 2).reshape(-1, weight.shape[0], by_tap.shape[2])
        self._weight = operations.constant(phases)
        self._bias = operations.constant(np.repeat(weights[f"{name}.bias"], rate))

    def __call__(self, block: Value, carry: Carry) -> Value:
        ops = self._operations
        joined = ops.padded(carry.join(block, self._past, self._per_frame), 2, 0, self._future)
        phases = ops.conv1d(joined, self._weight, self._bias)
        outputs = ops.size(phases, 1) // self._rate
        apart = ops.reshaped(phases, [1, outputs, self._rate, -1])
        return ops.reshaped(ops.transposed(apart, [0, 1, 3, 2]), [1, outputs, -1])


def without_weight_norm(weights: Weights) -> dict[str, NDArray[Any]]:
    """Multiply out weight normalisation (Salimans and Kingma, 2016); the result is float32.

    The norm is over all axes along which the lengths, ``weight_g``, have one value.
    """
    plain = {}
    for name, weight in weights.items():
        if name.endswith(".weight_v"):
            base, direction = name.removesuffix("_v"), weight.astype(np.float32)
            length = weights[f"{base}_g"].astype(np.float32)
            axes = tuple(axis for axis, size in enumerate(length.shape) if size == 1)
            plain[base] = direction * (length / np.sqrt((direction**2).sum(axis=axes, keepdims=True)))
        elif not name.endswith(".weight_g"):
            plain[name] = weight.astype(np.float32, copy=False)
    return plain

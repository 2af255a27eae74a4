"""The operations of which all networks here are made.

``openvino_operations`` has them as nodes of a graph, ``torch_operations`` as calls on tensors. Values of both also have
``+``, ``-`` and ``*`` with each other. A graph may later be
given sound of another length, so no operation takes a length that depends on it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

Value = Any
"""A node of OpenVINO, or a tensor."""


class Operations(Protocol):
    """The operations; axes may be negative, and count from the last one."""

    def constant(self, array: NDArray[Any]) -> Value:
        """A value that is always the same; numbers get the precision of the network, integers stay integers."""

    def past(self, shape: Sequence[int]) -> Value:
        """The state before the first block: zeros, to be replaced from block to block."""

    def size(self, value: Value, axis: int) -> int:
        """The size of an axis whose size is always the same."""

    def conv1d(
        self,
        value: Value,
        weight: Value,
        bias: Value | None = None,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        padding: int = 0,
    ) -> Value:
        """Convolve (1, in, n) with (out, in / groups, kernel) to (1, out, m); ``padding`` zeros on both sides."""

    def conv2d(self, value: Value, weight: Value, bias: Value) -> Value:
        """Convolve (1, in, n, m) with (out, in, kernel, kernel), the kernel odd, to (1, out, n, m)."""

    def conv2d_doubled(self, value: Value, weight: Value, bias: Value) -> Value:
        """The transposed convolution with stride 2: (1, in, n, m) and (in, out, 3, 3) to (1, out, 2n, 2m)."""

    def pooled(self, value: Value) -> Value:
        """Means of squares of two by two: (1, channels, n, m) to (1, channels, n / 2, m / 2)."""

    def gru(self, value: Value, weights: Sequence[NDArray[Any]], backward: Sequence[NDArray[Any]]) -> Value:
        """A gated recurrent layer in both directions, (1, n, in) to (1, n, 2 · hidden).

        ``weights`` for each direction: of the input, (3 · hidden, in); of the state, (3 · hidden, hidden); and the
        biases of both, (3 · hidden,), in torch's order of gates: reset, update, new.
        """

    def matmul(self, left: Value, right: Value) -> Value:
        """The matrix product over the last two axes."""

    def linear(self, value: Value, weight: Value, bias: Value | None = None) -> Value:
        """Multiply (…, in) by (out, in), transposed, to (…, out)."""

    def concat(self, values: Sequence[Value], axis: int) -> Value: ...

    def part(self, value: Value, axis: int, start: int | None, stop: int | None) -> Value:
        """Take ``value[start:stop]`` along ``axis``; each may be None, or negative, and count from the end."""

    def padded(self, value: Value, axis: int, before: int, after: int) -> Value:
        """Zeros before and after it along ``axis``."""

    def reshaped(self, value: Value, shape: Sequence[int]) -> Value:
        """Reshape it without moving any number; one size may be -1, and takes what is left."""

    def transposed(self, value: Value, order: Sequence[int]) -> Value: ...

    def taken(self, value: Value, indices: Value, axis: int) -> Value:
        """The slices of ``value`` along ``axis`` that ``indices``, (n,), name."""

    def taken_along(self, value: Value, indices: Value, axis: int) -> Value:
        """Single numbers of ``value`` along ``axis``; ``indices`` has the shape of the result."""

    def normalized(self, value: Value, axes: Sequence[int], epsilon: float) -> Value:
        """Mean 0 and variance 1 over ``axes``."""

    def softmax(self, value: Value) -> Value:
        """Normalise exponentials over the last axis."""

    def scaled(self, value: Value, factor: float) -> Value: ...

    def at_least(self, value: Value, least: float) -> Value: ...

    def exp(self, value: Value) -> Value: ...

    def log(self, value: Value) -> Value: ...

    def tanh(self, value: Value) -> Value: ...

    def sigmoid(self, value: Value) -> Value: ...

    def relu(self, value: Value) -> Value: ...

    def leaky_relu(self, value: Value, slope: float) -> Value: ...

    def gelu(self, value: Value) -> Value:
        """Weight each number by the normal distribution's share below it (Hendrycks and Gimpel, 2016)."""

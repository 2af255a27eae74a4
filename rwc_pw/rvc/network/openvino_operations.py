"""The operations as nodes of an OpenVINO graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.network.operations import Value
from rwc_pw.system.extra import load_module

END = np.iinfo(np.int64).max  # of a slice, however long the axis


class OpenvinoOperations:
    """Builds one graph; ``model`` ends it."""

    def __init__(self) -> None:
        self._openvino = load_module("openvino")
        self._op = load_module("openvino.opset15")
        self._pasts: list[Any] = []

    def input(self, shape: Sequence[int], kind: type = np.float32) -> Value:
        """An input of the graph."""
        return self._op.parameter(list(shape), kind)

    def model(self, inputs: Sequence[Value], outputs: Sequence[Value], after: Sequence[Value]) -> Any:
        """The graph from ``inputs`` to ``outputs``; ``after`` replaces each ``past`` from block to block, within it."""
        model = self._openvino.Model([*outputs, *after], [*inputs, *self._pasts])
        pairs = {}
        for number, past in enumerate(self._pasts):
            past.output(0).tensor.set_names({f"before{number}"})
            result = model.outputs[len(outputs) + number]
            result.tensor.set_names({f"after{number}"})
            pairs[f"before{number}"] = f"after{number}"
        if pairs:
            load_module("openvino._offline_transformations").apply_make_stateful_transformation(model, pairs)
        return model

    def constant(self, array: NDArray[Any]) -> Value:
        kind = np.float32 if array.dtype.kind == "f" else np.int64
        return self._op.constant(np.ascontiguousarray(array, kind), shared_memory=True)

    def past(self, shape: Sequence[int]) -> Value:
        self._pasts.append(self.input(shape))
        return self._pasts[-1]

    def size(self, value: Value, axis: int) -> int:
        return int(value.get_output_shape(0)[axis])

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
        where = [stride], [padding], [padding], [dilation]
        if groups == 1:
            return self._biased(self._op.convolution(value, weight, *where), bias)
        out, *rest = weight.get_output_shape(0)
        grouped = self.reshaped(weight, [groups, out // groups, *rest])
        return self._biased(self._op.group_convolution(value, grouped, *where), bias)

    def conv2d(self, value: Value, weight: Value, bias: Value) -> Value:
        around = [self.size(weight, -1) // 2] * 2
        return self._biased(self._op.convolution(value, weight, [1, 1], around, around, [1, 1]), bias)

    def conv2d_doubled(self, value: Value, weight: Value, bias: Value) -> Value:
        doubled = self._op.convolution_backprop_data(
            value, weight, [2, 2], pads_begin=[1, 1], pads_end=[1, 1], output_padding=[1, 1]
        )
        return self._biased(doubled, bias)

    def pooled(self, value: Value) -> Value:
        return self._op.avg_pool(value, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=True)

    def gru(self, value: Value, weights: Sequence[NDArray[Any]], backward: Sequence[NDArray[Any]]) -> Value:
        hidden = weights[1].shape[1]
        both = [_gates_first(*direction) for direction in (weights, backward)]
        of_input, of_state, biases = (self.constant(np.stack(parts)) for parts in zip(*both, strict=True))
        start = self.constant(np.zeros((1, 2, hidden), np.float32))
        ends = self.taken(self._op.shape_of(value), np.array([1]), 0)
        told = self._op.gru_sequence(
            value, start, ends, of_input, of_state, biases, hidden, "bidirectional", linear_before_reset=True
        )
        by_frame = self.transposed(told.output(0), [0, 2, 1, 3])  # from (1, direction, n, hidden)
        return self.reshaped(by_frame, [1, -1, 2 * hidden])

    def matmul(self, left: Value, right: Value) -> Value:
        return self._op.matmul(left, right, False, False)

    def linear(self, value: Value, weight: Value, bias: Value | None = None) -> Value:
        product = self._op.matmul(value, weight, False, True)
        return product if bias is None else product + bias

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        return self._op.concat(list(values), axis)

    def part(self, value: Value, axis: int, start: int | None, stop: int | None) -> Value:
        first, last = start or 0, END if stop is None else stop
        return self._op.slice(value, *(np.array([number]) for number in (first, last, 1, axis)))

    def padded(self, value: Value, axis: int, before: int, after: int) -> Value:
        if not before and not after:
            return value
        around = np.zeros((2, len(value.get_output_shape(0))), np.int64)
        around[:, axis] = before, after
        return self._op.pad(value, *around, "constant", self._op.constant(0, np.float32))

    def reshaped(self, value: Value, shape: Sequence[int]) -> Value:
        return self._op.reshape(value, np.array(shape), False)

    def transposed(self, value: Value, order: Sequence[int]) -> Value:
        return self._op.transpose(value, np.array(order))

    def taken(self, value: Value, indices: Value, axis: int) -> Value:
        return self._op.gather(value, indices, np.array(axis))

    def taken_along(self, value: Value, indices: Value, axis: int) -> Value:
        return self._op.gather_elements(value, indices, axis)

    def normalized(self, value: Value, axes: Sequence[int], epsilon: float) -> Value:
        return self._op.mvn(value, np.array(axes), True, epsilon, "inside_sqrt")

    def softmax(self, value: Value) -> Value:
        return self._op.softmax(value, -1)

    def scaled(self, value: Value, factor: float) -> Value:
        return value * self._op.constant(factor, np.float32)

    def at_least(self, value: Value, least: float) -> Value:
        return self._op.maximum(value, self._op.constant(least, np.float32))

    def exp(self, value: Value) -> Value:
        return self._op.exp(value)

    def log(self, value: Value) -> Value:
        return self._op.log(value)

    def tanh(self, value: Value) -> Value:
        return self._op.tanh(value)

    def sigmoid(self, value: Value) -> Value:
        return self._op.sigmoid(value)

    def relu(self, value: Value) -> Value:
        return self._op.relu(value)

    def leaky_relu(self, value: Value, slope: float) -> Value:
        return self._op.prelu(value, self.constant(np.array([slope])))

    def gelu(self, value: Value) -> Value:
        return self._op.gelu(value, "erf")

    def _biased(self, value: Value, bias: Value | None) -> Value:
        if bias is None:
            return value
        return value + self.reshaped(bias, [1, -1, *[1] * (len(value.get_output_shape(0)) - 2)])


def _gates_first(
    of_input: NDArray[Any], of_state: NDArray[Any], input_bias: NDArray[Any], state_bias: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """One direction's weights in OpenVINO's order of gates: update, reset, new; the last has both biases apart."""
    reset, update, new = (slice(part * len(of_state) // 3, (part + 1) * len(of_state) // 3) for part in range(3))
    order = [*range(update.start, update.stop), *range(reset.start, reset.stop), *range(new.start, new.stop)]
    summed = input_bias + state_bias
    biases = np.concatenate([summed[update], summed[reset], input_bias[new], state_bias[new]])
    return of_input[order], of_state[order], biases

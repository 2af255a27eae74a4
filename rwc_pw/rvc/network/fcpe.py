"""FCPE (Luo et al., 2025), which rates the salience of pitches by convolutions alone."""

import math
from typing import ClassVar

import numpy as np

from rwc_pw.rvc.network.carry import Weights, without_weight_norm
from rwc_pw.rvc.network.layers import GroupNorm, LayerNorm, Linear
from rwc_pw.rvc.network.mel import mel_filters
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES, SalienceFacts
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, CONTENT_RATE_HZ

MEL_BANDS, MOST_MEL_HZ = 128, 8000.0
LEAST_MAGNITUDE = 1e-5
GROUPS = 4
LEAST_HZ, MOST_HZ = 32.7, 1975.5
SLOPE = 0.01


class Fcpe:
    """Magnitudes (1, frames, 513) to salience (1, frames, 360); a spectrum begins 432 samples before its frame."""

    facts: ClassVar = SalienceFacts(
        padding_samples=(SPECTRUM_SAMPLES - CONTENT_FRAME_SAMPLES) // 2,
        multiple_frames=1,
        least_salience=0.006,
        least_cents=1200 * math.log2(LEAST_HZ / 10),
        most_cents=1200 * math.log2(MOST_HZ / 10),
    )

    def __init__(self, operations: Operations, stored: dict[str, Weights]) -> None:
        """``stored`` is the content of its file."""
        plain = without_weight_norm(stored["model"])
        filters = mel_filters(CONTENT_RATE_HZ, SPECTRUM_SAMPLES, MEL_BANDS, 0, MOST_MEL_HZ, is_htk=False)
        self._operations = operations
        self._filters = operations.constant(filters)
        self._entry, self._second = (_Conv(operations, plain, f"input_stack.{at}") for at in (0, 3))
        self._entry_norm = GroupNorm(operations, plain, "input_stack.1", GROUPS)
        layers = sum(name.endswith("conformer.net.4.conv.weight") for name in plain)
        self._layers = [_Layer(operations, plain, f"net.encoder_layers.{at}.conformer.net") for at in range(layers)]
        self._norm = LayerNorm(operations, plain, "norm")
        self._out = Linear(operations, plain, "output_proj")

    def __call__(self, magnitudes: Value) -> Value:
        ops = self._operations
        mel = ops.log(ops.at_least(ops.linear(magnitudes, self._filters), LEAST_MAGNITUDE))
        entered = self._entry_norm(self._entry(ops.transposed(mel, [0, 2, 1])))
        frames = ops.transposed(self._second(ops.leaky_relu(entered, SLOPE)), [0, 2, 1])
        for layer in self._layers:
            frames = frames + layer(frames)
        return ops.sigmoid(self._out(self._norm(frames)))


class _Layer:
    """The convolutions of a Conformer (Gulati et al., 2020), (1, n, width) to (1, n, width)."""

    def __init__(self, operations: Operations, weights: Weights, name: str) -> None:
        self._operations = operations
        self._norm = LayerNorm(operations, weights, f"{name}.0")
        self._wide, self._narrow = (Linear(operations, weights, f"{name}.{at}") for at in (2, 6))
        self._conv = _Conv(operations, weights, f"{name}.4.conv")

    def __call__(self, frames: Value) -> Value:
        ops = self._operations
        wide = ops.transposed(self._wide(self._norm(frames)), [0, 2, 1])
        half = ops.size(wide, 1) // 2
        gated = ops.part(wide, 1, None, half) * ops.sigmoid(ops.part(wide, 1, half, None))
        convolved = self._conv(gated)
        return self._narrow(ops.transposed(convolved * ops.sigmoid(convolved), [0, 2, 1]))


class _Conv:
    """A convolution, centred on each frame; with one group for each channel if it has a single input."""

    def __init__(self, operations: Operations, weights: Weights, name: str) -> None:
        weight: np.ndarray = weights[f"{name}.weight"]
        self._operations = operations
        self._weight = operations.constant(weight)
        self._bias = operations.constant(weights[f"{name}.bias"])
        self._groups = len(weight) if weight.shape[1] == 1 else 1
        self._padding = weight.shape[-1] // 2

    def __call__(self, frames: Value) -> Value:
        return self._operations.conv1d(frames, self._weight, self._bias, groups=self._groups, padding=self._padding)

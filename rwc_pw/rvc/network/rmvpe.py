"""RMVPE (Wei et al., 2023), which rates the salience of pitches by a U-Net and a recurrent layer."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.network.carry import Weights
from rwc_pw.rvc.network.layers import Linear
from rwc_pw.rvc.network.mel import mel_filters
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.rvc.pitch import PITCHES, SPECTRUM_SAMPLES, SalienceFacts
from rwc_pw.rvc.plan import CONTENT_RATE_HZ

MEL_BANDS, LEAST_MEL_HZ, MOST_MEL_HZ = 128, 30.0, 8000.0
LEAST_MAGNITUDE = 1e-5
LEVELS = 5
LEAST_CENTS, STEP_CENTS = 1997.3794084376191, 20
VARIANCE_EPSILON = 1e-5
GRU_PARTS = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"


class Rmvpe:
    """Magnitudes (1, frames, 513) to salience (1, frames, 360); spectra are centred, frames come in multiples of 32."""

    facts: ClassVar = SalienceFacts(
        padding_samples=SPECTRUM_SAMPLES // 2,
        multiple_frames=2**LEVELS,
        least_salience=0.03,
        least_cents=LEAST_CENTS,
        most_cents=LEAST_CENTS + STEP_CENTS * (PITCHES - 1),
    )

    def __init__(self, operations: Operations, stored: Weights) -> None:
        """``stored`` is the content of its file."""
        filters = mel_filters(CONTENT_RATE_HZ, SPECTRUM_SAMPLES, MEL_BANDS, LEAST_MEL_HZ, MOST_MEL_HZ, is_htk=True)
        scale, shift = _batch_norm(stored, "unet.encoder.bn")
        self._operations = operations
        self._filters = operations.constant(filters)
        self._scale, self._shift = operations.constant(scale), operations.constant(shift)
        self._down = [_chain(operations, stored, f"unet.encoder.layers.{at}.conv") for at in range(LEVELS)]
        between = _count(stored, "unet.intermediate.layers.{}.conv.0.conv.0.weight")
        self._between = [_chain(operations, stored, f"unet.intermediate.layers.{at}.conv") for at in range(between)]
        self._up = [_Up(operations, stored, f"unet.decoder.layers.{at}") for at in range(LEVELS)]
        self._last = operations.constant(stored["cnn.weight"]), operations.constant(stored["cnn.bias"])
        self._forward, self._backward = (
            [stored[f"fc.0.gru.{part}{ending}"] for part in GRU_PARTS] for ending in ("", "_reverse")
        )
        self._out = Linear(operations, stored, "fc.1")

    def __call__(self, magnitudes: Value) -> Value:
        ops = self._operations
        mel = ops.log(ops.at_least(ops.linear(magnitudes, self._filters), LEAST_MAGNITUDE))
        image = ops.reshaped(mel, [1, 1, -1, MEL_BANDS]) * self._scale + self._shift
        three = ops.conv2d(self._unet(image), *self._last)
        frames = ops.reshaped(ops.transposed(three, [0, 2, 1, 3]), [1, -1, 3 * MEL_BANDS])
        return ops.sigmoid(self._out(ops.gru(frames, self._forward, self._backward)))

    def _unet(self, image: Value) -> Value:
        """Down to a 32nd of the size and up again, past what was there before (Ronneberger et al., 2015)."""
        passed = []
        for blocks in self._down:
            image = _through(blocks, image)
            passed.append(image)
            image = self._operations.pooled(image)
        for blocks in self._between:
            image = _through(blocks, image)
        for up in self._up:
            image = up(image, passed.pop())
        return image


class _Up:
    """Doubles the size, and joins the image from the same level on the way down."""

    def __init__(self, operations: Operations, weights: Weights, name: str) -> None:
        scale, shift = _batch_norm(weights, f"{name}.conv1.1")
        self._operations = operations
        self._weight = operations.constant(weights[f"{name}.conv1.0.weight"] * scale.reshape(1, -1, 1, 1))
        self._bias = operations.constant(shift.ravel())
        self._blocks = _chain(operations, weights, f"{name}.conv2")

    def __call__(self, image: Value, passed: Value) -> Value:
        ops = self._operations
        doubled = ops.relu(ops.conv2d_doubled(image, self._weight, self._bias))
        return _through(self._blocks, ops.concat([doubled, passed], 1))


class _Residual:
    """Two convolutions with normalisation, added to the image."""

    def __init__(self, operations: Operations, weights: Weights, name: str) -> None:
        self._operations = operations
        self._first, self._second = (_normalised(operations, weights, f"{name}.conv", at) for at in (0, 3))
        self._shortcut = None
        if f"{name}.shortcut.weight" in weights:
            weight, bias = (weights[f"{name}.shortcut.{part}"] for part in ("weight", "bias"))
            self._shortcut = operations.constant(weight), operations.constant(bias)

    def __call__(self, image: Value) -> Value:
        ops = self._operations
        changed = ops.relu(ops.conv2d(image, *self._first))
        changed = ops.relu(ops.conv2d(changed, *self._second))
        return changed + (ops.conv2d(image, *self._shortcut) if self._shortcut else image)


def _chain(operations: Operations, weights: Weights, name: str) -> list[_Residual]:
    count = _count(weights, f"{name}.{{}}.conv.0.weight")
    return [_Residual(operations, weights, f"{name}.{at}") for at in range(count)]


def _through(blocks: list[_Residual], image: Value) -> Value:
    for block in blocks:
        image = block(image)
    return image


def _count(weights: Weights, pattern: str) -> int:
    count = 0
    while pattern.format(count) in weights:
        count += 1
    return count


def _normalised(operations: Operations, weights: Weights, name: str, at: int) -> tuple[Value, Value]:
    """Weight and bias of the convolution ``at`` with the batch normalisation that follows it."""
    scale, shift = _batch_norm(weights, f"{name}.{at + 1}")
    return operations.constant(weights[f"{name}.{at}.weight"] * scale.reshape(-1, 1, 1, 1)), operations.constant(
        shift.ravel()
    )


def _batch_norm(weights: Weights, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scale and shift, (1, channels, 1, 1), of what was learnt (Ioffe and Szegedy, 2015)."""
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + VARIANCE_EPSILON)
    shift = weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale
    return scale.reshape(1, -1, 1, 1), shift.reshape(1, -1, 1, 1)

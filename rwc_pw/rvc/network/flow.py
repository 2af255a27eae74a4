"""The inverse flow: from the text encoder's output to the generator's input (VITS, Kim et al., 2021)."""

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.network.carry import Carry, Conv, Weights
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.voices.architecture import FLOWS, WAVENET_LAYERS

Speaker = NDArray[np.float32]
"""The embedding of a speaker, (channels,)."""


class Flow:
    """Frames (1, inter, n) to (1, inter, n); sees 24 frames ahead and as many back."""

    def __init__(self, operations: Operations, weights: Weights, speaker: Speaker) -> None:
        self._couplings = [_Coupling(operations, weights, f"flow.flows.{at}", speaker) for at in FLOWS[::-1]]

    def __call__(self, block: Value, carry: Carry) -> Value:
        for coupling in self._couplings:
            block = coupling(block, carry)
        return block


class _Coupling:
    """Turns the order of the channels over; then one half determines what is subtracted from the other."""

    def __init__(self, operations: Operations, weights: Weights, name: str, speaker: Speaker) -> None:
        self._operations = operations
        self._pre = Conv(operations, weights, f"{name}.pre")
        self._wavenet = _WaveNet(operations, weights, f"{name}.enc", speaker)
        self._post = Conv(operations, weights, f"{name}.post")
        half = weights[f"{name}.pre.weight"].shape[1]
        self._turned = operations.constant(np.arange(2 * half)[::-1].copy())
        self._half = half

    def __call__(self, block: Value, carry: Carry) -> Value:
        ops = self._operations
        turned = ops.taken(block, self._turned, 1)
        stays, changed = ops.part(turned, 1, None, self._half), ops.part(turned, 1, self._half, None)
        taken = self._post(self._wavenet(self._pre(stays, carry), carry), carry)
        return ops.concat([stays, changed - taken], 1)


class _WaveNet:
    """Gated convolutions (van den Oord et al., 2016), conditioned on the speaker."""

    def __init__(self, operations: Operations, weights: Weights, name: str, speaker: Speaker) -> None:
        self._operations = operations
        self._inputs = [Conv(operations, weights, f"{name}.in_layers.{at}") for at in range(WAVENET_LAYERS)]
        self._outputs = [Conv(operations, weights, f"{name}.res_skip_layers.{at}") for at in range(WAVENET_LAYERS)]
        conditions = condition(weights, f"{name}.cond_layer", speaker)
        self._conditions = [operations.constant(part) for part in np.split(conditions, WAVENET_LAYERS, axis=1)]

    def __call__(self, block: Value, carry: Carry) -> Value:
        ops = self._operations
        hidden = ops.size(block, 1)
        total = None
        for at, (entry, output) in enumerate(zip(self._inputs, self._outputs, strict=True)):
            gated = entry(block, carry) + self._conditions[at]
            tanh, gate = ops.tanh(ops.part(gated, 1, None, hidden)), ops.sigmoid(ops.part(gated, 1, hidden, None))
            told = output(tanh * gate, carry)
            skipped = told if at == WAVENET_LAYERS - 1 else ops.part(told, 1, hidden, None)
            total = skipped if total is None else total + skipped
            if at < WAVENET_LAYERS - 1:
                block = block + ops.part(told, 1, None, hidden)
        return total


def condition(weights: Weights, name: str, speaker: Speaker) -> NDArray[np.float32]:
    """A convolution over one frame of the speaker's embedding: (1, channels, 1)."""
    told: NDArray[np.float32] = weights[f"{name}.weight"][:, :, 0] @ speaker + weights[f"{name}.bias"]
    return told[None, :, None]

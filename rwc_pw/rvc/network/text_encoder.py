"""The text encoder: from ContentVec's features and the pitch to the flow's input (VITS, Kim et al., 2021)."""

import math

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.network.carry import Weights
from rwc_pw.rvc.network.layers import LayerNorm, Linear, join_heads, split_heads
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.voices.architecture import RELATIVE_POSITIONS, Architecture

SLOPE = 0.1
FARTHEST = RELATIVE_POSITIONS // 2


class TextEncoder:
    """Features (1, n, 256 or 768) and pitch (n,) to mean and log deviation, (1, inter, n) each.

    It attends to all n frames: unlike the convolutions, it has no state and is given a whole window.
    """

    def __init__(self, operations: Operations, weights: Weights, network: Architecture) -> None:
        self._operations = operations
        self._phone = Linear(operations, weights, "enc_p.emb_phone")
        self._pitch = operations.constant(weights["enc_p.emb_pitch.weight"]) if network.has_pitch else None
        self._scale = math.sqrt(network.hidden)
        self._layers = [_Layer(operations, weights, number, network.heads) for number in range(network.layers)]
        self._proj = Linear(operations, weights, "enc_p.proj")
        self._inter = network.inter

    def __call__(
        self, features: Value, by_distance: Value, by_frame: Value, pitch: Value | None = None
    ) -> tuple[Value, Value]:
        """``relative_positions`` gives two of them; ``pitch`` holds bins of RVC's mel scale, 1 to 255."""
        ops = self._operations
        told = self._phone(features)
        if self._pitch is not None:
            told = told + ops.taken(self._pitch, pitch, 0)
        told = ops.leaky_relu(ops.scaled(told, self._scale), SLOPE)
        for layer in self._layers:
            told = layer(told, (by_distance, by_frame))
        both = ops.transposed(self._proj(told), [0, 2, 1])
        return ops.part(both, 1, None, self._inter), ops.part(both, 1, self._inter, None)


def relative_positions(frames: int, heads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each frame, the relative position of every other; and the frame at each of them.

    (1, heads, n, n) and (1, heads, n, ``RELATIVE_POSITIONS``); one past the last index stands for too far, or no frame.
    """
    at = np.arange(frames)
    distance = at[None, :] - at[:, None] + FARTHEST
    frame = at[:, None] + np.arange(-FARTHEST, FARTHEST + 1)[None, :]
    by_distance = np.where((distance >= 0) & (distance < RELATIVE_POSITIONS), distance, RELATIVE_POSITIONS)
    by_frame = np.where((frame >= 0) & (frame < frames), frame, frames)
    return _for_heads(by_distance, heads), _for_heads(by_frame, heads)


def _for_heads(index: NDArray[np.int64], heads: int) -> NDArray[np.int64]:
    return np.broadcast_to(index, (1, heads, *index.shape)).copy()


class _Layer:
    def __init__(self, operations: Operations, weights: Weights, number: int, heads: int) -> None:
        name = "enc_p.encoder"
        self._operations = operations
        self._attention = _Attention(operations, weights, f"{name}.attn_layers.{number}", heads)
        self._norms = [
            LayerNorm(operations, weights, f"{name}.norm_layers_{at}.{number}", ("gamma", "beta")) for at in (1, 2)
        ]
        self._convs = [_Conv(operations, weights, f"{name}.ffn_layers.{number}.conv_{at}") for at in (1, 2)]

    def __call__(self, frames: Value, positions: tuple[Value, Value]) -> Value:
        frames = self._norms[0](frames + self._attention(frames, positions))
        return self._norms[1](frames + self._feed_forward(frames))

    def _feed_forward(self, frames: Value) -> Value:
        ops = self._operations
        inner = ops.relu(self._convs[0](ops.transposed(frames, [0, 2, 1])))
        return ops.transposed(self._convs[1](inner), [0, 2, 1])


class _Conv:
    """A convolution over the whole window, with zeros around it."""

    def __init__(self, operations: Operations, weights: Weights, name: str) -> None:
        self._operations = operations
        self._weight, self._bias = (operations.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        self._kernel = weights[f"{name}.weight"].shape[-1]

    def __call__(self, frames: Value) -> Value:
        padded = self._operations.padded(frames, 2, (self._kernel - 1) // 2, self._kernel // 2)
        return self._operations.conv1d(padded, self._weight, self._bias)


class _Attention:
    """Self-attention with relative positions (Shaw et al., 2018), which reach ``FARTHEST`` frames."""

    def __init__(self, operations: Operations, weights: Weights, name: str, heads: int) -> None:
        self._operations = operations
        self._query, self._key, self._value, self._out = (
            Linear(operations, weights, f"{name}.conv_{part}") for part in "qkvo"
        )
        self._relative_keys = operations.constant(weights[f"{name}.emb_rel_k"][0].T)
        self._relative_values = operations.constant(weights[f"{name}.emb_rel_v"][0])
        self._heads = heads

    def __call__(self, frames: Value, positions: tuple[Value, Value]) -> Value:
        ops = self._operations
        by_distance, by_frame = positions
        query, key, value = (
            split_heads(ops, part(frames), self._heads) for part in (self._query, self._key, self._value)
        )
        query = ops.scaled(query, ops.size(query, -1) ** -0.5)
        by_position = ops.padded(ops.matmul(query, self._relative_keys), 3, 0, 1)
        relative = ops.taken_along(by_position, by_distance, 3)
        shares = ops.softmax(ops.matmul(query, ops.transposed(key, [0, 1, 3, 2])) + relative)
        near = ops.taken_along(ops.padded(shares, 3, 0, 1), by_frame, 3)
        return self._out(join_heads(ops, ops.matmul(shares, value) + ops.matmul(near, self._relative_values)))

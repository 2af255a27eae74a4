"""ContentVec (Qian et al., 2022), which extracts what is said: a HuBERT (Hsu et al., 2021)."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from rwc_pw.rvc.network.carry import Weights, without_weight_norm
from rwc_pw.rvc.network.layers import GroupNorm, LayerNorm, Linear, join_heads, split_heads
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.rvc.weights import read_weights

TORCH_PREFIX = "parametrizations.weight.original"  # in the newer names of weight_g and weight_v


@dataclass(frozen=True)
class HubertConfig:
    """The facts of a HuBERT that its weights' shapes do not show, as in transformers' ``config.json``."""

    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_conv_pos_embedding_groups: int = 16

    @classmethod
    def read(cls, path: Path) -> "HubertConfig":
        """Read ``config.json``; ``ValueError`` if it is none."""
        stored = json.loads(path.read_text())
        return cls(**{field.name: stored[field.name] for field in fields(cls) if field.name in stored})


class Content:
    """Sound at 16 kHz, (1, n), to features (1, frames, 256 or 768), one every 20 ms."""

    def __init__(self, operations: Operations, folder: Path, version: str) -> None:
        config = HubertConfig.read(folder / "config.json")
        weights = read_weights(folder / "pytorch_model.bin")
        plain = without_weight_norm(
            {
                name.replace(f"{TORCH_PREFIX}0", "weight_g").replace(f"{TORCH_PREFIX}1", "weight_v"): weight
                for name, weight in weights.items()
            }
        )
        self._operations = operations
        self._front = _Front(operations, plain, config)
        self._norm = LayerNorm(operations, plain, "feature_projection.layer_norm")
        self._projection = Linear(operations, plain, "feature_projection.projection")
        self._positions = _Positions(operations, plain, config.num_conv_pos_embedding_groups)
        self._first_norm = LayerNorm(operations, plain, "encoder.layer_norm")
        heads = config.num_attention_heads
        self._layers = [_Layer(operations, plain, at, heads) for at in range(config.num_hidden_layers)]
        self._last = Linear(operations, plain, "final_proj") if version == "v1" else None

    def __call__(self, sound: Value) -> Value:
        ops = self._operations
        front = ops.transposed(self._front(ops.reshaped(sound, [1, 1, -1])), [0, 2, 1])
        frames = self._projection(self._norm(front))
        frames = self._first_norm(frames + self._positions(frames))
        for layer in self._layers:
            frames = layer(frames)
        return self._last(frames) if self._last else frames


class _Front:
    """Sound (1, 1, n) to (1, channels, frames), by strided convolutions; the first is normalised over time."""

    def __init__(self, operations: Operations, weights: Weights, config: HubertConfig) -> None:
        name = "feature_extractor.conv_layers"
        self._operations = operations
        self._convs = [
            (operations.constant(weights[f"{name}.{at}.conv.weight"]), stride)
            for at, stride in enumerate(config.conv_stride)
        ]
        channels = len(weights[f"{name}.0.conv.weight"])
        self._norm = GroupNorm(operations, weights, f"{name}.0.layer_norm", groups=channels)

    def __call__(self, sound: Value) -> Value:
        ops = self._operations
        for at, (weight, stride) in enumerate(self._convs):
            sound = ops.conv1d(sound, weight, stride=stride)
            sound = ops.gelu(self._norm(sound) if at == 0 else sound)
        return sound


class _Positions:
    """The relative positions, found by a convolution over the frames: (1, n, width) to (1, n, width)."""

    def __init__(self, operations: Operations, weights: Weights, groups: int) -> None:
        name = "encoder.pos_conv_embed.conv"
        self._operations = operations
        self._groups = groups
        self._weight, self._bias = (operations.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        kernel = weights[f"{name}.weight"].shape[-1]
        self._padding = kernel // 2
        self._end = None if kernel % 2 else -1  # an even kernel gives one frame too many

    def __call__(self, frames: Value) -> Value:
        ops = self._operations
        moved = ops.transposed(frames, [0, 2, 1])
        convolved = ops.conv1d(moved, self._weight, self._bias, groups=self._groups, padding=self._padding)
        return ops.transposed(ops.gelu(ops.part(convolved, 2, None, self._end)), [0, 2, 1])


class _Layer:
    """Self-attention and two linear layers (Vaswani et al., 2017), each added and normalised."""

    def __init__(self, operations: Operations, weights: Weights, number: int, heads: int) -> None:
        name = f"encoder.layers.{number}"
        self._operations = operations
        self._heads = heads
        self._query, self._key, self._value, self._out = (
            Linear(operations, weights, f"{name}.attention.{part}_proj") for part in ("q", "k", "v", "out")
        )
        self._norm = LayerNorm(operations, weights, f"{name}.layer_norm")
        self._wide = Linear(operations, weights, f"{name}.feed_forward.intermediate_dense")
        self._narrow = Linear(operations, weights, f"{name}.feed_forward.output_dense")
        self._last_norm = LayerNorm(operations, weights, f"{name}.final_layer_norm")

    def __call__(self, frames: Value) -> Value:
        frames = self._norm(frames + self._attention(frames))
        return self._last_norm(frames + self._narrow(self._operations.gelu(self._wide(frames))))

    def _attention(self, frames: Value) -> Value:
        ops = self._operations
        query, key, value = (
            split_heads(ops, part(frames), self._heads) for part in (self._query, self._key, self._value)
        )
        scaled = ops.scaled(query, ops.size(query, -1) ** -0.5)
        shares = ops.softmax(ops.matmul(scaled, ops.transposed(key, [0, 1, 3, 2])))
        return self._out(join_heads(ops, ops.matmul(shares, value)))

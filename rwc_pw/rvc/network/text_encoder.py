"""The text encoder: from ContentVec's features and the pitch to the flow's input (VITS, Kim et al., 2021)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rwc_pw.rvc.network.carry import Weights
from rwc_pw.voices.architecture import RELATIVE_POSITIONS, Architecture

SLOPE = 0.1
FARTHEST = RELATIVE_POSITIONS // 2


class TextEncoder(nn.Module):
    """Features (1, n, 256 or 768) and pitch (1, n) to mean and log deviation, (1, inter, n) each.

    It attends to all n frames: unlike the convolutions, it has no state and is given a whole window.
    """

    def __init__(self, weights: Weights, network: Architecture) -> None:
        super().__init__()
        self._phone = _Linear(weights, "enc_p.emb_phone")
        self.pitch = nn.Parameter(weights["enc_p.emb_pitch.weight"]) if network.has_pitch else None
        self._scale = math.sqrt(network.hidden)
        self._layers = nn.ModuleList(_Layer(weights, number, network.heads) for number in range(network.layers))
        self._proj = _Linear(weights, "enc_p.proj")

    def forward(self, features: Tensor, pitch: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``pitch`` holds bins of RVC's mel scale, 1 to 255."""
        told = self._phone(features)
        if self.pitch is not None and pitch is not None:
            told = told + functional.embedding(pitch, self.pitch)
        told = functional.leaky_relu(told * self._scale, SLOPE)
        for layer in self._layers:
            told = layer(told)
        mean, log_deviation = torch.chunk(self._proj(told).transpose(1, 2), 2, dim=1)
        return mean, log_deviation


class _Linear(nn.Module):
    """A linear layer, also for those that RVC stores as convolutions over one frame."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        weight = weights[f"{name}.weight"]
        self.weight = nn.Parameter(weight[:, :, 0] if weight.ndim == 3 else weight)
        self.bias = nn.Parameter(weights[f"{name}.bias"])

    def forward(self, frames: Tensor) -> Tensor:
        return functional.linear(frames, self.weight, self.bias)


class _Layer(nn.Module):
    def __init__(self, weights: Weights, number: int, heads: int) -> None:
        super().__init__()
        self._attention = _Attention(weights, f"enc_p.encoder.attn_layers.{number}", heads)
        self._norms = nn.ModuleList(_Norm(weights, f"enc_p.encoder.norm_layers_{at}.{number}") for at in (1, 2))
        feed = f"enc_p.encoder.ffn_layers.{number}"
        self.weights = nn.ParameterList(weights[f"{feed}.conv_{at}.weight"] for at in (1, 2))
        self.biases = nn.ParameterList(weights[f"{feed}.conv_{at}.bias"] for at in (1, 2))

    def forward(self, frames: Tensor) -> Tensor:
        frames = self._norms[0](frames + self._attention(frames))
        return self._norms[1](frames + self._feed_forward(frames))

    def _feed_forward(self, frames: Tensor) -> Tensor:
        inner = functional.relu(self._convolved(frames.transpose(1, 2), 0))
        return self._convolved(inner, 1).transpose(1, 2)

    def _convolved(self, frames: Tensor, at: int) -> Tensor:
        kernel = self.weights[at].shape[-1]
        padded = functional.pad(frames, ((kernel - 1) // 2, kernel // 2))
        return functional.conv1d(padded, self.weights[at], self.biases[at])


class _Norm(nn.Module):
    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.gamma = nn.Parameter(weights[f"{name}.gamma"])
        self.beta = nn.Parameter(weights[f"{name}.beta"])

    def forward(self, frames: Tensor) -> Tensor:
        return functional.layer_norm(frames, self.gamma.shape, self.gamma, self.beta)


class _Attention(nn.Module):
    """Self-attention with relative positions (Shaw et al., 2018), which reach ``FARTHEST`` frames."""

    def __init__(self, weights: Weights, name: str, heads: int) -> None:
        super().__init__()
        self._query, self._key, self._value, self._out = (_Linear(weights, f"{name}.conv_{part}") for part in "qkvo")
        self.relative_keys = nn.Parameter(weights[f"{name}.emb_rel_k"][0])
        self.relative_values = nn.Parameter(weights[f"{name}.emb_rel_v"][0])
        self._heads = heads

    def forward(self, frames: Tensor) -> Tensor:
        query, key, value = (self._split(part(frames)) for part in (self._query, self._key, self._value))
        query = query / math.sqrt(query.shape[-1])
        by_distance, by_frame = (
            index.expand(1, self._heads, -1, -1) for index in _positions(frames.shape[1], frames.device)
        )
        relative = torch.gather(functional.pad(query @ self.relative_keys.T, (0, 1)), 3, by_distance)
        shares = functional.softmax(query @ key.transpose(-2, -1) + relative, dim=-1)
        near = torch.gather(functional.pad(shares, (0, 1)), 3, by_frame)
        mixed = shares @ value + near @ self.relative_values
        return self._out(mixed.transpose(1, 2).reshape(frames.shape))

    def _split(self, frames: Tensor) -> Tensor:
        return frames.reshape(1, frames.shape[1], self._heads, -1).transpose(1, 2)


def _positions(length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For each frame, the relative position of every frame, and the frame at every relative position.

    (length, length) and (length, ``RELATIVE_POSITIONS``); one past the last index stands for too far, or no frame.
    """
    at = torch.arange(length, device=device)
    distance = at[None, :] - at[:, None] + FARTHEST
    frame = at[:, None] + torch.arange(-FARTHEST, FARTHEST + 1, device=device)[None, :]
    by_distance = torch.where((distance >= 0) & (distance < RELATIVE_POSITIONS), distance, RELATIVE_POSITIONS)
    by_frame = torch.where((frame >= 0) & (frame < length), frame, length)
    return by_distance, by_frame

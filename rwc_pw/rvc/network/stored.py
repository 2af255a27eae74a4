"""Gives torch the weights of stored voices and of other files."""

import json
from pathlib import Path

import torch
from torch import Tensor

from rwc_pw.voices.architecture import Architecture
from rwc_pw.voices.checkpoint import read_stored
from rwc_pw.voices.tensors import Weights


def read_voice(folder: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """A stored voice's network and its weights, in float32."""
    stored, metadata = read_stored(folder)
    weights = {name: weight.float() for name, weight in tensors(stored).items()}
    speakers = len(weights["emb_g.weight"])
    config = json.loads(metadata["config"])
    return Architecture.from_config(config, metadata["version"], int(metadata["f0"]), speakers), weights


def tensors(weights: Weights) -> dict[str, Tensor]:
    """Tensors that share the arrays' numbers."""
    return {name: torch.from_numpy(weight) for name, weight in weights.items()}

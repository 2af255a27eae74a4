"""Reads stored voices for our own network."""

import json
from pathlib import Path

from torch import Tensor

from rwc_pw.voices.architecture import Architecture
from rwc_pw.voices.checkpoint import read_stored


def read_voice(folder: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """A stored voice's network and its weights, in float32."""
    stored, metadata = read_stored(folder)
    weights = {name: weight.float() for name, weight in stored.items()}
    speakers = len(weights["emb_g.weight"])
    config = json.loads(metadata["config"])
    return Architecture.from_config(config, metadata["version"], int(metadata["f0"]), speakers), weights

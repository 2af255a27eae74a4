"""Writes voices as ultimate-rvc loads them; for its process, which has torch."""

import json
from pathlib import Path

from rwc_pw.voices.checkpoint import read_stored


def write_checkpoint(voice_folder: Path, path: Path) -> None:
    """Write the ``.pth`` that ultimate-rvc loads, from a stored voice's safetensors."""
    import torch

    weights, metadata = read_stored(voice_folder)
    config = json.loads(metadata["config"])
    voice = {
        "weight": {name: torch.from_numpy(weight) for name, weight in weights.items()},
        "config": config,
        "info": "",
        "sr": f"{config[-1] // 1000}k",
        "f0": int(metadata["f0"]),
        "version": metadata["version"],
    }
    torch.save(voice, path)

"""Reads files of a shared models folder as weights only; for processes that have torch."""

import pickle
from pathlib import Path
from typing import Any


def read_weights(path: Path) -> Any:
    """The content of ``path``; ``ValueError`` for anything but weights: ultimate-rvc would unpickle it unguarded."""
    import torch

    def plain(v):
        return (
            v.numpy()
            if isinstance(v, torch.Tensor)
            else {k: plain(x) for k, x in v.items()}
            if isinstance(v, dict)
            else v
        )

    try:
        return plain(torch.load(path, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"{path.name} is broken, or holds more than weights") from error

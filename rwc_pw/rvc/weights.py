"""Whether a file of a shared folder of models holds weights alone; only for processes that have torch."""

import pickle
from pathlib import Path


def check_weights(path: Path) -> None:
    """``ValueError`` when ``path`` holds anything but weights: ultimate-rvc would unpickle it without a guard."""
    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"{path.name} is broken, or holds more than weights") from error

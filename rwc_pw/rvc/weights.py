"""Reads files of a shared models folder as weights only."""

from pathlib import Path
from typing import Any

from rwc_pw.voices.tensors import BadTorchFileError
from rwc_pw.voices.torch_file import read_torch_file


def read_weights(path: Path) -> Any:
    """The content of ``path``; ``ValueError`` for anything but weights: ultimate-rvc would unpickle it unguarded."""
    try:
        return read_torch_file(path)
    except BadTorchFileError as error:
        raise ValueError(f"{path.name} is broken, or holds more than weights") from error

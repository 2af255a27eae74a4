"""The GPU on which voices are computed: an NVIDIA GPU, until it fails."""

import logging
import threading
from functools import cache
from pathlib import Path

DRIVER = Path("/dev/nvidiactl")  # checked first: torch takes seconds to load, and nothing else here needs it
CUDA = "cuda"

log = logging.getLogger(__name__)
_failed = threading.Event()


def device() -> str | None:
    """The GPU's name in torch; None if there is none, or it has failed, which loses this process's CUDA state."""
    return None if _failed.is_set() else _found()


def give_up(error: Exception) -> None:
    """Stop using the GPU until the next start."""
    log.error("the GPU failed, the CPU takes over: %s", error)
    _failed.set()


def has_failed() -> bool:
    return _failed.is_set()


@cache
def _found() -> str | None:
    if not DRIVER.exists():
        return None
    try:
        import torch
    except (ImportError, OSError):  # OSError: one of CUDA's libraries is missing
        return None
    return CUDA if torch.cuda.is_available() else None

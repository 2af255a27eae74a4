"""Whether voices are computed on a graphics card: on an NVIDIA one, until it fails."""

import logging
import threading
from functools import cache
from pathlib import Path

DRIVER = Path("/dev/nvidiactl")  # asked first: torch takes seconds to load, and is wanted for nothing else
CUDA = "cuda"

log = logging.getLogger(__name__)
_failed = threading.Event()


def device() -> str | None:
    """What torch calls it; None without one, or after it has failed: what CUDA did in this process is lost with it."""
    return None if _failed.is_set() else _found()


def give_up(error: Exception) -> None:
    """Use it no more until the next start."""
    log.error("the graphics card failed, the CPU takes over: %s", error)
    _failed.set()


def has_failed() -> bool:
    return _failed.is_set()


@cache
def _found() -> str | None:
    if not DRIVER.exists():
        return None
    try:
        import torch
    except ImportError:
        return None
    return CUDA if torch.cuda.is_available() else None

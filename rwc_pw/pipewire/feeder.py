"""Ensures that only one rwc-pw at a time feeds RWC Voice or removes it, and only one waits to remove it."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rwc_pw.errors import RwcPwError

PATIENCE_S = 3.0  # longer than it takes to remove RWC Voice
RETRY_S = 0.05


@contextmanager
def sole_feeder(patience_s: float = 0.0) -> Iterator[None]:
    """Hold the right to feed or remove the RWC Voice of this session.

    ``RwcPwError`` while another process has it, for ``patience_s`` or longer.
    """
    with _held("rwc-pw", patience_s):
        yield


@contextmanager
def sole_farewell() -> Iterator[None]:
    """Hold the right to wait for the last listener of RWC Voice; ``RwcPwError`` while another process has it."""
    with _held("rwc-pw-farewell", PATIENCE_S):
        yield


@contextmanager
def _held(name: str, patience_s: float) -> Iterator[None]:
    """The lock is an abstract socket's name: it leaves no file, and goes with the process, however that ends."""
    deadline_s = time.monotonic() + patience_s
    with socket.socket(socket.AF_UNIX) as lock:
        while True:
            try:
                lock.bind(f"\0{name}:{os.getuid()}:{os.environ.get('XDG_RUNTIME_DIR', '')}"[:100])
            except OSError as error:
                if time.monotonic() >= deadline_s:
                    raise RwcPwError(
                        "Another rwc-pw feeds RWC Voice.",
                        "End the one in a terminal with Ctrl-C, or the daemon with `rwc-pw disable`.",
                    ) from error
                time.sleep(RETRY_S)
            else:
                break
        yield

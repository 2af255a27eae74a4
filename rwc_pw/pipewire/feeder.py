"""Ensures that only one rwc-pw at a time feeds RWC Voice."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from rwc_pw.errors import RwcPwError


@contextmanager
def sole_feeder() -> Iterator[None]:
    """Hold the right to feed the RWC Voice of this session; ``RwcPwError`` while another process has it.

    The lock is an abstract socket's name: it leaves no file, and goes with the process, however that ends.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(f"\0rwc-pw:{os.getuid()}:{os.environ.get('XDG_RUNTIME_DIR', '')}"[:100])
        except OSError as error:
            raise RwcPwError(
                "Another rwc-pw feeds RWC Voice.",
                "End the one in a terminal with Ctrl-C, or the daemon with `rwc-pw disable`.",
            ) from error
        yield

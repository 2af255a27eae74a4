"""Ensures that only one rwc-pw at a time feeds RWC Voice or removes it, and only one waits to remove it."""

import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rwc_pw.errors import RwcPwError

PATIENCE_S = 3.0  # longer than it takes to remove RWC Voice
AGAIN_S = 0.01  # where who has a lock cannot be asked


class Lock:
    """A right that one process of a session has at a time; whoever waits for it connects to who has it.

    It is an abstract socket's name: it leaves no file, and goes with the process, however that ends.
    """

    def __init__(self, name: str) -> None:
        """``OSError`` if another process has it."""
        self._socket = _socket()
        try:
            self._socket.bind(_address(name))
            self._socket.listen()
        except OSError:
            self._socket.close()
            raise

    def was_asked_for(self) -> bool:
        """Return whether somebody has waited for it since the last call."""
        was_asked = False
        while True:
            try:
                asking, _ = self._socket.accept()
            except OSError:  # nobody, or no more
                return was_asked
            asking.close()
            was_asked = True

    def release(self) -> None:
        self._socket.close()


@contextmanager
def sole_feeder(patience_s: float = 0.0) -> Iterator[Lock]:
    """Hold the right to feed or remove the RWC Voice of this session.

    ``RwcPwError`` while another process has it, for ``patience_s`` or longer.
    """
    with _held("rwc-pw", patience_s) as lock:
        yield lock


@contextmanager
def sole_farewell() -> Iterator[None]:
    """Hold the right to wait for the last listener of RWC Voice; ``RwcPwError`` while another process has it."""
    with _held("rwc-pw-farewell", PATIENCE_S):
        yield


@contextmanager
def _held(name: str, patience_s: float) -> Iterator[Lock]:
    lock = _acquired(name, patience_s)
    try:
        yield lock
    finally:
        lock.release()


def _acquired(name: str, patience_s: float) -> Lock:
    deadline_s = time.monotonic() + patience_s
    while True:
        try:
            return Lock(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            left_s = deadline_s - time.monotonic()
            _wait_for_release(name, max(0.0, left_s))
            if left_s <= 0:
                raise RwcPwError(
                    "Another rwc-pw feeds RWC Voice.",
                    "End the one in a terminal with Ctrl-C, or the daemon with `rwc-pw disable`.",
                ) from error


def _wait_for_release(name: str, timeout_s: float) -> None:
    """Wait until who has the lock releases it or ends, or asks again whether somebody waits."""
    with _socket() as asking:
        try:
            asking.connect(_address(name))
        except OSError:  # it has just been released, or too many wait
            time.sleep(min(timeout_s, AGAIN_S))
            return
        select.select([asking], [], [], timeout_s)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.setblocking(False)
    return made


def _address(name: str) -> str:
    return f"\0{name}:{os.getuid()}:{os.environ.get('XDG_RUNTIME_DIR', '')}"[:100]

"""A folder for what must not outlive the processes that use it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rwc_pw.desktop.files import refusal

LOCK = ".lock"


class PrivateFolder:
    """A new folder, 0700, in ``parent``; it is in use as long as any process holds ``lock_fd``.

    Those of the same ``prefix`` that a crash or SIGKILL left behind are removed when the next one is made.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        """``RwcPwError`` where it cannot be made."""
        for path in parent.glob(f"{prefix}*"):
            _remove_abandoned(path)
        try:
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            unlocked = self.path / f"{LOCK}.new"
            self.lock_fd = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self.lock_fd, fcntl.LOCK_EX)
            unlocked.rename(self.path / LOCK)  # a lock that is free is the sign of a folder that was left behind
        except OSError as error:
            raise refusal("make a folder in", parent, error) from error

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock_fd)


def _remove_abandoned(path: Path) -> None:
    with _own_lock(path) as lock:
        if lock is not None and _is_free(lock):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _own_lock(path: Path) -> Iterator[int | None]:
    """The lock of a folder of this user's; None where there is none: the folder is just being made, or another's."""
    try:
        is_own = path.lstat().st_uid == os.getuid()
        lock = os.open(path / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC) if is_own else None
    except OSError:
        lock = None
    try:
        yield lock
    finally:
        if lock is not None:
            os.close(lock)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

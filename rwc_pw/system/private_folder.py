"""A folder for files that must not outlive the processes that use them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rwc_pw.system.writing import refusal

LOCK = ".lock"


class PrivateFolder:
    """A new folder, mode 0700, in ``parent``; in use as long as any process holds ``lock_fd``.

    Folders with the same ``prefix`` that a crash or SIGKILL left behind are removed when the next one is created.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        """``RwcPwError`` if it cannot be created."""
        for path in parent.glob(f"{prefix}*"):
            _remove_abandoned(path)
        with ExitStack() as undo:
            try:
                parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
                undo.callback(shutil.rmtree, self.path, ignore_errors=True)
                unlocked = self.path / f"{LOCK}.new"
                self.lock_fd = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                undo.callback(os.close, self.lock_fd)
                fcntl.flock(self.lock_fd, fcntl.LOCK_EX)
                unlocked.rename(self.path / LOCK)  # a free lock marks an abandoned folder
            except OSError as error:
                raise refusal("make a folder in", parent, error) from error
            undo.pop_all()  # the folder stays until ``remove``

    def remove(self) -> None:
        """Remove the folder and its content."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock_fd)


def _remove_abandoned(path: Path) -> None:
    with _own_lock(path) as lock:
        if lock is not None and _is_free(lock):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _own_lock(path: Path) -> Iterator[int | None]:
    """The lock of this user's folder; None if there is none: it is just being created, or another user's."""
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

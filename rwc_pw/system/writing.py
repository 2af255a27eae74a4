"""Writes small text files atomically."""

import os
import tempfile
from pathlib import Path

from rwc_pw.errors import RwcPwError


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path``, creating its folders as private; ``RwcPwError`` if the disk or the permissions refuse."""
    try:
        _make_folder(path.parent)
        _replace(Path(os.path.realpath(path)), text)  # a symlink, as dotfile managers create, stays one
    except OSError as error:
        raise refusal("write", path, error) from error


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents if missing; ``RwcPwError`` if that fails."""
    try:
        _make_folder(folder)
    except OSError as error:
        raise refusal("make", folder, error) from error


def refusal(verb: str, path: Path, error: OSError) -> RwcPwError:
    """The error that tells the user about ``error``."""
    return RwcPwError(
        f"Cannot {verb} {path}: {error.strerror}.",
        f"Free some space or mend the permissions of {path.parent}, then run the command again.",
    )


def _make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents, private to the user as the XDG specification requires."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _replace(path: Path, text: str) -> None:
    """Replace ``path``; a concurrent reader sees the whole old file or the whole new one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".rwc-pw-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

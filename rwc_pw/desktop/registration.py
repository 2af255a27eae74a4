"""What makes a desktop know rwc-pw: three small files, written and removed."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rwc_pw.desktop.dropin import dropin_text
from rwc_pw.desktop.entries import autostart_text, bus_service_text
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import RwcPwError


def register(paths: Paths, launcher: Sequence[str]) -> list[Path]:
    """Make the microphone, the autostart entry and the bus service known; return the files that changed."""
    files = {
        paths.drop_in: dropin_text(),
        paths.autostart_entry: autostart_text(launcher),
        paths.bus_service: bus_service_text(launcher),
    }
    return [path for path, text in files.items() if _write_if_different(path, text)]


def unregister(paths: Paths) -> list[Path]:
    """Remove those files, and the folders they leave empty; return the files that were there."""
    homes = {
        paths.drop_in: paths.config_home,
        paths.autostart_entry: paths.config_home,
        paths.bus_service: paths.data_home,
    }
    return [path for path, home in homes.items() if _remove(path, home)]


def _write_if_different(path: Path, text: str) -> bool:
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        _make_folder(path.parent)
        _replace(path, text)
    except OSError as error:
        raise _refusal("write", path, error) from error
    return True


def _make_folder(folder: Path) -> None:
    """``folder`` and its parents, private to the user as the XDG specification asks."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _replace(path: Path, text: str) -> None:
    """Whoever reads ``path`` meanwhile sees the old file or the new one, whole."""
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


def _remove(path: Path, home: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _refusal("remove", path, error) from error
    _remove_empty_folders(path.parent, home)
    return True


def _remove_empty_folders(folder: Path, home: Path) -> None:
    while folder != home:
        try:
            folder.rmdir()
        except OSError:  # somebody's files are in it
            return
        folder = folder.parent


def _refusal(verb: str, path: Path, error: OSError) -> RwcPwError:
    return RwcPwError(
        f"Cannot {verb} {path}: {error.strerror}.",
        f"Free some space or mend the permissions of {path.parent}, then run the command again.",
    )

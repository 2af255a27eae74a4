"""Writes and removes the three small files that make rwc-pw known to a desktop."""

from collections.abc import Sequence
from pathlib import Path

from rwc_pw.desktop.dropin import dropin_text
from rwc_pw.desktop.entries import autostart_text, bus_service_text
from rwc_pw.desktop.removal import remove_empty_folders
from rwc_pw.system.paths import Paths
from rwc_pw.system.writing import refusal, write_atomically


def register(paths: Paths, launcher: Sequence[str]) -> list[Path]:
    """Write the drop-in, the autostart entry and the bus service; return the files that changed."""
    files = {
        paths.drop_in: dropin_text(),
        paths.autostart_entry: autostart_text(launcher),
        paths.bus_service: bus_service_text(launcher),
    }
    return [path for path, text in files.items() if _write_if_different(path, text)]


def unregister(paths: Paths) -> list[Path]:
    """Remove these files, and folders left empty; return the files that existed."""
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
    except OSError as error:
        raise refusal("read", path, error) from error
    write_atomically(path, text)
    return True


def _remove(path: Path, home: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise refusal("remove", path, error) from error
    remove_empty_folders(path.parent, home)
    return True

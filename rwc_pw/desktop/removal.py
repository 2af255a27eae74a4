"""Removes what an installation leaves in a home folder."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from rwc_pw.system.paths import Paths
from rwc_pw.system.writing import refusal


def program_files(paths: Paths) -> list[Path]:
    """The settings and state, what every RVC voice needs, the program, and the command that starts it."""
    program, *unfinished = (paths.data_dir / name for name in ("venv", "venv.old", "venv.uv"))
    commands = [paths.command] if paths.command.is_symlink() and program in paths.command.readlink().parents else []
    return [paths.config_file.parent, paths.state_dir, paths.assets_dir, program, *unfinished, *commands]


def remove_empty_folders(folder: Path, home: Path) -> None:
    """Remove ``folder`` and its parents inside ``home``, up to the first that contains anything."""
    while folder != home:
        try:
            folder.rmdir()
        except OSError:  # it contains other files, or does not exist
            return
        folder = folder.parent


def remove(paths: Iterable[Path]) -> list[Path]:
    """Delete files and whole folders; return those that existed."""
    present = [path for path in paths if path.exists() or path.is_symlink()]
    for path in present:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise refusal("remove", path, error) from error
    return present

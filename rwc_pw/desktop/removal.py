"""What an installation leaves in a home, and its removal."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from rwc_pw.desktop.files import refusal
from rwc_pw.desktop.paths import Paths


def voice_folder(paths: Paths) -> Path:
    """Where the user's own voices lie."""
    return paths.data_dir / "models"


def program_files(paths: Paths) -> list[Path]:
    """The settings, the program and the command that starts it, and what every RVC voice needs."""
    program = paths.data_dir / "venv"
    commands = [paths.command] if paths.command.is_symlink() and program in paths.command.readlink().parents else []
    return [paths.config_file.parent, paths.state_dir, paths.assets_dir, program, *commands]


def remove(paths: Iterable[Path]) -> list[Path]:
    """Delete files and whole folders; return those that were there."""
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

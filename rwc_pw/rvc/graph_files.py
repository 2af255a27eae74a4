"""Keeps networks as OpenVINO's files, until the weights or what builds them changes."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from rwc_pw.errors import RwcPwError
from rwc_pw.system.private_folder import LOCK, PrivateFolder
from rwc_pw.system.writing import refusal

BUILD = ("-P", "-m", "rwc_pw.rvc.build")
FORMAT = 4  # of what is written; raising it builds everything anew
STAGING_PREFIX = ".compiling-"
KEY_LENGTH = 16
NICENESS = 19  # another voice may be speaking

log = logging.getLogger(__name__)


class GraphFiles:
    """A folder of graphs in float16, which OpenVINO maps into memory instead of copying them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: list[Path] = []

    def content(self, contentvec: Path, version: str) -> Path:
        """The folder with ``content.xml``, which voices of one version share; raises what ``_find`` raises."""
        name = f".contentvec-{version}"  # never a voice's name
        return self._find(name, contentvec / "pytorch_model.bin", ["content", str(contentvec), version])

    def voice(self, name: str, weights: Path, look_ahead_frames: int) -> Path:
        """The folder with ``text.xml`` and ``decoder.xml`` of a stored voice; raises what ``_find`` raises."""
        return self._find(name, weights, ["voice", str(weights.parent), str(look_ahead_frames)])

    def salience(self, detector: str, weights: Path) -> Path:
        """The folder with ``salience.xml`` of a pitch detector; raises what ``_find`` raises."""
        return self._find(f".{detector}", weights, ["salience", str(weights), detector])

    def discard(self) -> None:
        """Remove what was found so far: it is damaged."""
        for kept in self._found:
            shutil.rmtree(kept, ignore_errors=True)

    def _find(self, name: str, weights: Path, request: Sequence[str]) -> Path:
        """The folder of what ``rwc_pw.rvc.build`` makes of ``request``.

        It is built now, in seconds, unless it was for the same weights, by their size and timestamp. ``RwcPwError`` if
        it cannot be.
        """
        kept = self._folder / f"{name}-{_key(weights, request)}"
        if not kept.is_dir():
            self._build(kept, request)
            forget(self._folder, name, but=kept)
        self._found.append(kept)
        return kept

    def _build(self, kept: Path, request: Sequence[str]) -> None:
        staging = PrivateFolder(self._folder, STAGING_PREFIX)
        try:
            _run([str(staging.path), *request], staging.lock_fd)
            (staging.path / LOCK).unlink()
            staging.path.rename(kept)
        except OSError as error:
            if not kept.is_dir():  # otherwise another process was faster
                raise refusal("write", kept, error) from error
        finally:
            staging.remove()


def forget(folder: Path, name: str, but: Path | None = None) -> None:
    """Remove the graphs kept under ``name``, except ``but``."""
    for kept in folder.glob("*"):
        if kept != but and kept.name[: -KEY_LENGTH - 1] == name:
            shutil.rmtree(kept, ignore_errors=True)


def _run(arguments: Sequence[str], lock_fd: int) -> None:
    with subprocess.Popen(
        [sys.executable, *BUILD, *arguments],
        stdin=subprocess.PIPE,  # it ends when this closes: with us, however we end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[lock_fd],
        start_new_session=True,  # Ctrl-C reaches only us; we shut it down
    ) as process:
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        told = process.stderr.read() if process.stderr else ""
        code = process.wait()
    log.debug("%s", told)
    if code:
        why = (told.strip().splitlines() or [f"it ended with {code}"])[-1]
        raise RwcPwError(f"The voice's networks could not be built: {why}.", "Run `rwc-pw doctor`.")


def _key(weights: Path, request: Sequence[str]) -> str:
    written = weights.stat()
    parts = [FORMAT, metadata.version("openvino"), list(request), written.st_size, written.st_mtime_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:KEY_LENGTH]

"""Keeps networks as OpenVINO's files, until the weights or what builds them changes."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.system.extra import load_module
from rwc_pw.system.private_folder import LOCK, PrivateFolder
from rwc_pw.system.writing import refusal

FORMAT = 4  # of what is written; raising it builds everything anew
STAGING_PREFIX = ".compiling-"
KEY_LENGTH = 16

Build = Callable[[OpenvinoOperations], Any]
"""Makes a graph."""


class GraphFiles:
    """A folder of graphs in float16, which OpenVINO maps into memory instead of copying them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: list[Path] = []

    def find(self, name: str, weights: Path, facts: object, builds: Mapping[str, Build]) -> Path:
        """The folder with the graphs of ``builds`` as ``.xml``, made of the file ``weights``.

        They are built now unless they were with the same ``facts`` and timestamp. ``RwcPwError`` if they cannot be
        written; whatever a build raises.
        """
        kept = self._folder / f"{name}-{_key(weights, facts)}"
        if not kept.is_dir():
            self._write(kept, builds)
            forget(self._folder, name, but=kept)
        self._found.append(kept)
        return kept

    def discard(self) -> None:
        """Remove what was found so far: it is damaged."""
        for kept in self._found:
            shutil.rmtree(kept, ignore_errors=True)

    def _write(self, kept: Path, builds: Mapping[str, Build]) -> None:
        openvino, staging = load_module("openvino"), PrivateFolder(self._folder, STAGING_PREFIX)
        try:
            for name, build in builds.items():
                openvino.save_model(build(OpenvinoOperations()), staging.path / f"{name}.xml", compress_to_fp16=True)
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


def _key(weights: Path, facts: object) -> str:
    written = weights.stat()
    parts = [FORMAT, metadata.version("openvino"), facts, written.st_size, written.st_mtime_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:KEY_LENGTH]

"""Compiles voices for the CPU, and keeps the result until the voice or the compiler changes."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

from rwc_pw.errors import RwcPwError
from rwc_pw.rvc.assets import contentvec_folder, require
from rwc_pw.rvc.detectors import PitchDetector
from rwc_pw.system.extra import check_extra, package_folder
from rwc_pw.system.private_folder import LOCK, PrivateFolder
from rwc_pw.system.writing import refusal
from rwc_pw.voices.rvc_voice import MODEL_FILE, RvcVoice
from rwc_pw.voices.stored_voice import StoredVoice

EXPORT = ("-P", "-m", "rwc_pw.rvc.network.export")
FORMAT = 3  # of what is written; raising it recompiles everything
STAGING_PREFIX = ".compiling-"
KEY_LENGTH = 16
NICENESS = 19  # another voice may be speaking

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VoiceSources:
    """Files that a voice needs besides its own weights."""

    contentvec: Path
    """A folder."""
    detector: Path | None
    """The pitch detector's weights, if the voice has pitch and they are a file."""


class VoiceCompiler:
    """Compiles a voice, once, in a separate process, which takes tens of seconds."""

    def __init__(self, assets_dir: Path, detector: PitchDetector, look_ahead_frames: int, kept: Path) -> None:
        """``assets_dir`` has ultimate-rvc's layout; ``kept`` gets the result."""
        self._assets_dir = assets_dir
        self._detector = detector
        self._look_ahead_frames = look_ahead_frames
        self._kept = kept
        self._process: subprocess.Popen[str] | None = None
        self.cancelled = False

    def sources(self, voice: RvcVoice) -> VoiceSources:
        """Sources of ``voice``; ``UnavailableError`` if the extra or one of them is missing."""
        for package in ("torch", "openvino", "swift_f0"):
            package_folder(package)
        detector = self._detector if voice.has_pitch else None
        require(self._assets_dir, detector.asset if detector else None)
        weights = detector.weights(self._assets_dir) if detector else None
        return VoiceSources(contentvec_folder(self._assets_dir), weights)

    def compile(
        self, voice: StoredVoice, on_progress: Callable[[float], None] = lambda _: None
    ) -> tuple[Path, Path, Path | None]:
        """The folders of the compiled ContentVec, which voices share, of the voice, and of a detector with a file.

        ``on_progress`` receives the fraction done. ``UnavailableError`` without the extra or what it needs,
        ``RwcPwError`` if the voice cannot be compiled.
        """
        facts = voice.facts
        sources = self.sources(facts)
        contentvec, found = sources.contentvec, sources.detector
        name = f".contentvec-{facts.version}"  # never a voice's name
        content = self._compiled(name, contentvec, contentvec / "pytorch_model.bin", [facts.version], None)
        on_progress(1 / 3)
        what, own = ["voice", str(self._look_ahead_frames)], asdict(replace(facts, licence=""))
        network = self._compiled(facts.name, voice.folder, voice.folder / MODEL_FILE, what, own)
        on_progress(2 / 3)
        detector = found and self._compiled(f".{self._detector.name}", found, found, [self._detector.name], None)
        on_progress(1.0)
        return content, network, detector

    def _compiled(self, name: str, source: Path, weights: Path, what: list[str], facts: object) -> Path:
        """The folder with the compiled form of ``source``.

        Compiled now unless a copy with the same ``facts`` and the weights' timestamp exists.
        """
        kept = self._kept_as(name, [what, facts], weights)
        if not kept.is_dir():
            self._export(source, kept, what)
            forget(self._kept, name, but=kept)
        return kept

    def cancel(self) -> None:
        """Cancel ``compile`` for good, from another thread."""
        self.cancelled = True
        if process := self._process:
            process.kill()

    def _kept_as(self, name: str, facts: object, weights: Path) -> Path:
        written = weights.stat()
        parts = [FORMAT, metadata.version("openvino"), facts, written.st_size, written.st_mtime_ns]
        return self._kept / f"{name}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:KEY_LENGTH]}"

    def _export(self, source: Path, target: Path, what: list[str]) -> None:
        staging = PrivateFolder(self._kept, STAGING_PREFIX)
        try:
            self._run([str(source), str(staging.path), *what], staging.lock_fd)
            (staging.path / LOCK).unlink()
            try:
                staging.path.rename(target)
            except OSError as error:
                if not target.is_dir():  # otherwise another process was faster
                    raise refusal("write", target, error) from error
        finally:
            staging.remove()

    def _run(self, arguments: list[str], lock_fd: int) -> None:
        with subprocess.Popen(
            [sys.executable, *EXPORT, *arguments],
            stdin=subprocess.PIPE,  # it ends when this closes: with us, however we end
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            pass_fds=[lock_fd],
            start_new_session=True,  # Ctrl-C reaches only us; we shut it down
        ) as self._process:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)
            if self.cancelled:
                self._process.kill()
            told = self._process.stderr.read() if self._process.stderr else ""
            code = self._process.wait()
        log.debug("%s", told)
        if code:
            if not self.cancelled:
                check_extra()
            why = (told.strip().splitlines() or [f"it ended with {code}"])[-1]
            raise RwcPwError(f"The voice could not be compiled: {why}.", "Run `rwc-pw doctor`.")


def forget(kept: Path, name: str, but: Path | None = None) -> None:
    """Remove the compiled forms of the voice ``name``, except ``but``."""
    for folder in kept.glob("*"):
        if folder != but and folder.name[: -KEY_LENGTH - 1] == name:
            shutil.rmtree(folder, ignore_errors=True)

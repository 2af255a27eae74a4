"""Voices compiled for the CPU, kept until they or their compiler change."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from rwc_pw.desktop.files import refusal
from rwc_pw.desktop.private_folder import LOCK, PrivateFolder
from rwc_pw.errors import RwcPwError
from rwc_pw.rvc.assets import CONTENTVEC, require
from rwc_pw.rvc.extra import package_folder
from rwc_pw.rvc.plan import Plan
from rwc_pw.voices.f0_method import NETWORK_DETECTORS
from rwc_pw.voices.rvc_voice import MODEL_FILE, RvcVoice

EXPORT = ("-P", "-m", "rwc_pw.rvc.network.export")
FORMAT = 3  # of what is written; another number makes all of it anew
STAGING_PREFIX = ".compiling-"
KEY_LENGTH = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VoiceSources:
    """What a voice is made of, beside its own weights."""

    voice: RvcVoice
    contentvec: Path
    """A folder."""
    detector: Path | None
    """Its weights, where the voice has pitch and they are a file."""


class VoiceCompiler:
    """Compiles one voice, once, in a process of its own, which takes tens of seconds."""

    def __init__(self, voice_folder: Path, assets_dir: Path, detector: str, plan: Plan, kept: Path) -> None:
        """``voice_folder`` is a stored voice's, ``assets_dir`` has ultimate-rvc's layout; it goes to ``kept``.

        ``detector`` finds the pitch. Of ``plan`` it is how far the voice looks ahead that counts.
        """
        self._voice_folder = voice_folder
        self._assets_dir = assets_dir
        self._detector = detector
        self._ahead = plan.provisional_frames
        self._kept = kept
        self._process: subprocess.Popen[str] | None = None
        self.cancelled = False

    def sources(self) -> VoiceSources:
        """``UnavailableError`` without the extra, or without one of them."""
        for package in ("torch", "openvino", "swift_f0"):
            package_folder(package)
        voice = RvcVoice.read(self._voice_folder)
        weights = self._assets_dir / "rvc" / "predictors" / f"{self._detector}.pt"
        detector = weights if voice.has_pitch and self._detector in NETWORK_DETECTORS else None
        require(self._assets_dir, *CONTENTVEC, *([self._detector.upper()] if detector else []))
        return VoiceSources(voice, self._assets_dir / "rvc" / "embedders" / "contentvec", detector)

    def compile(self, on_progress: Callable[[float], None] = lambda _: None) -> tuple[Path, Path, Path | None]:
        """The folders of the compiled ContentVec, which voices share, of the voice, and of a detector that is a file.

        ``on_progress`` is told the share that is done. ``UnavailableError`` without the extra or what it needs,
        ``RwcPwError`` when it cannot be compiled.
        """
        sources = self.sources()
        voice, contentvec = sources.voice, sources.contentvec
        name = f".contentvec-{voice.version}"  # no voice's
        content = self._compiled(name, contentvec, contentvec / "pytorch_model.bin", [voice.version], None)
        on_progress(1 / 3)
        weights = self._voice_folder / MODEL_FILE
        network = self._compiled(voice.name, self._voice_folder, weights, ["voice", str(self._ahead)], asdict(voice))
        on_progress(2 / 3)
        found = sources.detector
        detector = found and self._compiled(f".{self._detector}", found, found, [self._detector], None)
        on_progress(1.0)
        return content, network, detector

    def _compiled(self, name: str, source: Path, weights: Path, what: list[str], facts: object) -> Path:
        """``what`` became of ``source``, which is known by its ``facts`` and when its ``weights`` were written."""
        kept = self._kept_as(name, [what, facts], weights)
        if not kept.is_dir():
            self._export(source, kept, what)
            forget(self._kept, name, but=kept)
        return kept

    def cancel(self) -> None:
        """End what ``compile`` does, from another thread, once and for all."""
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
            arguments = [str(source), str(staging.path), *what]
            self._process = subprocess.Popen(
                [sys.executable, *EXPORT, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
                pass_fds=[staging.lock_fd],
                start_new_session=True,  # Ctrl-C is for us, who end it in order
            )
            if self.cancelled:
                self._process.kill()
            _, told = self._process.communicate()
            log.debug("%s", told)
            if self._process.returncode:
                why = (told.strip().splitlines() or [f"it ended with {self._process.returncode}"])[-1]
                raise RwcPwError(f"The voice could not be compiled: {why}.", "Run `rwc-pw doctor`.")
            (staging.path / LOCK).unlink()
            try:
                staging.path.rename(target)
            except OSError as error:
                if not target.is_dir():  # else another process was faster
                    raise refusal("write", target, error) from error
        finally:
            if self._process:
                self._process.kill()
                self._process.wait()
            staging.remove()


def forget(kept: Path, name: str, but: Path | None = None) -> None:
    """Remove what was compiled of a voice: of one that has been replaced."""
    for folder in kept.glob("*"):
        if folder != but and folder.name[: -KEY_LENGTH - 1] == name:
            shutil.rmtree(folder, ignore_errors=True)

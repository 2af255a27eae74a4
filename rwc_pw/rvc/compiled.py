"""Voices compiled for the CPU, kept until they or their compiler change."""

import hashlib
import json
import logging
import subprocess
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from rwc_pw.desktop.private_folder import LOCK, PrivateFolder
from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.rvc.assets import missing
from rwc_pw.rvc.extra import package_folder
from rwc_pw.rvc.plan import Plan
from rwc_pw.voices.rvc_voice import MODEL_FILE, RvcVoice

EXPORT = ("-P", "-m", "rwc_pw.rvc.network.export")
FORMAT = 1  # of what is written; another number makes all of it anew
STAGING_PREFIX = ".compiling-"

log = logging.getLogger(__name__)


def compiled_voice(voice_folder: Path, models_dir: Path, plan: Plan, kept: Path) -> tuple[Path, Path]:
    """The folders below ``kept`` of the compiled ContentVec, which voices share, and of the compiled voice.

    They are made in tens of seconds, once. ``UnavailableError`` without the extra or ContentVec, ``RwcPwError`` when
    the voice cannot be compiled.
    """
    for package in ("torch", "openvino", "swift_f0"):
        package_folder(package)
    if absent := [asset.name for asset in missing(models_dir) if asset.name.startswith("ContentVec")]:
        raise UnavailableError(f"RVC voices need what is not there: {', '.join(absent)}.", "Run `rwc-pw setup`.")
    voice = RvcVoice.read(voice_folder)
    contentvec = models_dir / "rvc" / "embedders" / "contentvec"
    content = kept / f"contentvec-{_key(plan, voice.version, contentvec / 'pytorch_model.bin')}"
    network = kept / f"{voice.name}-{_key(plan, asdict(voice), voice_folder / MODEL_FILE)}"
    for source, target, what in ((contentvec, content, voice.version), (voice_folder, network, "voice")):
        if not target.is_dir():
            _export(source, target, what, plan)
    return content, network


def _key(plan: Plan, facts: object, weights: Path) -> str:
    written = weights.stat()
    parts = [FORMAT, metadata.version("openvino"), asdict(plan), facts, written.st_size, written.st_mtime_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _export(source: Path, target: Path, what: str, plan: Plan) -> None:
    staging = PrivateFolder(target.parent, STAGING_PREFIX)
    try:
        arguments = [str(source), str(staging.path), what, str(plan.block_frames)]
        done = subprocess.run(
            [sys.executable, *EXPORT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        log.debug("%s", done.stderr)
        if done.returncode:
            told = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
            raise RwcPwError(f"The voice could not be compiled: {told[0]}.", "Run `rwc-pw doctor`.")
        (staging.path / LOCK).unlink()
        staging.path.rename(target)
    finally:
        staging.remove()

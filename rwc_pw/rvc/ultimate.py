"""Runs ultimate-rvc in its own process, which loads one voice and converts files with it."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rwc_pw.errors import ConversionError, RwcPwError, UsageError
from rwc_pw.rvc.assets import require
from rwc_pw.rvc.detectors import detector_named
from rwc_pw.system.extra import check_extra, package_folder
from rwc_pw.system.private_folder import PrivateFolder
from rwc_pw.voices.stored_voice import StoredVoice

WORKER = ("-P", "-m", "rwc_pw.rvc.worker")

SCRATCH_PREFIX = "rwc_streaming_"

# the segments of a long file differ in length: without this, 16 minutes took 5.8 GB; with it, 11 minutes took 2.3 GB
GIVES_MEMORY_BACK = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RvcSettings:
    """Settings of a conversion, in ultimate-rvc's terms."""

    n_semitones: int
    f0_method: str
    index_rate: float
    protect_rate: float


class UltimateRvc:
    """Loads a voice once, and converts one file after another with it.

    It is a separate process because ultimate-rvc fixes its folders at import, keeps one voice at a time, prints, and
    holds the GIL while the transport waits for it. It ends with us, when its standard input closes.
    """

    def __init__(self, assets_dir: Path, settings: RvcSettings, *, is_live: bool, is_long: bool = False) -> None:
        """``assets_dir`` has ultimate-rvc's layout.

        ``is_live`` trades a slightly different sound for speed; otherwise a file is converted exactly as ultimate-rvc
        does it, with a fixed seed. ``is_long`` returns memory to the system between segments and is a little slower.
        """
        self.settings = settings
        """Settings for the next sound; all but ``f0_method`` may be changed at any time."""
        self._is_live = is_live
        self._is_long = is_long
        self._assets_dir = assets_dir
        self._scratch: PrivateFolder | None = None
        self._memory: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    @property
    def folder(self) -> Path:
        """The folder for the sound to convert."""
        if self._scratch is None:
            raise ConversionError("ultimate-rvc does not run")
        return self._scratch.path

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, voice: StoredVoice) -> None:
        """Load ``voice``, which takes seconds; call it again if the process has ended.

        ``UnavailableError`` without the extra or what every voice needs, ``RwcPwError`` if the voice fails to load.
        """
        package_folder("ultimate_rvc")
        require(self._assets_dir, detector_named(self.settings.f0_method).asset)
        if not voice.facts.has_pitch:
            raise UsageError(
                f"{voice.facts.name} does not follow the pitch, and ultimate-rvc cannot speak in such voices.",
                "Choose a voice that was trained with f0.",
            )
        self._end()
        self._scratch = scratch = PrivateFolder(Path(tempfile.gettempdir()), SCRATCH_PREFIX)
        try:
            self._memory = memory = os.fdopen(os.memfd_create("sound"), "w+b")
            self._process = subprocess.Popen(
                [sys.executable, *WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
                cwd=scratch.path,
                env=_environment(scratch.path, self._assets_dir) | (GIVES_MEMORY_BACK if self._is_long else {}),
                pass_fds=[scratch.lock_fd, memory.fileno()],
                start_new_session=True,  # Ctrl-C reaches only us; we shut it down
            )
            if self._is_closed:
                raise ConversionError("the converter has been closed")
            self._ask(
                {
                    "voice": str(voice.folder),
                    "scratch": str(scratch.path),
                    "live": self._is_live,
                    "settings": asdict(self.settings),
                }
            )
        except ConversionError as error:
            self._end()
            if not self._is_closed:
                check_extra()
            raise RwcPwError(f"The voice could not be loaded: {error.message}", "Run `rwc-pw doctor`.") from error
        except BaseException:
            self._end()
            raise

    def convert(self, sound: Path, on_progress: Callable[[float], None] = lambda _: None) -> Path:
        """The converted file, mono 16-bit at the voice's rate, in a folder that the caller must remove.

        ``on_progress`` receives how many seconds of it are done.

        ``ConversionError`` if ultimate-rvc fails or its process has ended.
        """
        return Path(self._ask({"sound": str(sound), "settings": asdict(self.settings)}, on_progress))

    def convert_content(self, sound: bytes) -> Path:
        """Convert the content of a sound file without any disk: only the two processes share its memory."""
        memory = self._memory
        try:
            if memory is None:
                raise ConversionError("ultimate-rvc does not run")
            memory.seek(0)
            memory.truncate()
            memory.write(sound)
            memory.flush()
            path = Path(f"/proc/self/fd/{memory.fileno()}")
        except ValueError as error:  # it was closed meanwhile
            raise ConversionError("ultimate-rvc has ended") from error
        return self.convert(path)

    def close(self) -> None:
        """End it for good and remove its files; may be called from another thread while it loads or converts."""
        self._is_closed = True
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        scratch, self._scratch = self._scratch, None
        memory, self._memory = self._memory, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with contextlib.suppress(BrokenPipeError):  # it never read the last request
                        pipe.close()
        if scratch:
            scratch.remove()
        if memory:
            memory.close()

    def _ask(self, request: dict[str, Any], on_progress: Callable[[float], None] = lambda _: None) -> str:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ConversionError("ultimate-rvc does not run")
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            while line := process.stdout.readline():
                answer = json.loads(line)
                if "progress_s" not in answer:
                    break
                on_progress(answer["progress_s"])
        except (OSError, ValueError):  # ValueError: the pipe was closed meanwhile
            line = b""
        if not line:
            process.kill()  # in case it is still running
            process.wait()
            raise ConversionError("ultimate-rvc has ended")
        if "error" in answer:
            raise ConversionError(answer["error"])
        return str(answer["done"])


def _environment(scratch: Path, assets_dir: Path) -> dict[str, str]:
    """An environment in which ultimate-rvc writes only below ``scratch`` and fetches nothing."""
    folders = {name: str(scratch / name.lower()) for name in ("AUDIO", "TEMP", "CONFIG", "LOGS", "VOICE_MODELS")}
    return {
        **os.environ,
        **{f"URVC_{name}_DIR": folder for name, folder in folders.items()},
        "URVC_MODELS_DIR": str(assets_dir),
        "URVC_NO_LOGGING": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # with spinning threads, one busy neighbour triples the time
        "HF_HUB_OFFLINE": "1",
        "TMPDIR": str(scratch),
    }

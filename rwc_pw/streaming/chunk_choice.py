"""The size of chunk that StreamingConverter works with, where the user has not pinned one."""

import json
import logging
from pathlib import Path

from rwc_pw.desktop.files import write_atomically
from rwc_pw.errors import RwcPwError
from rwc_pw.streaming.backend import SAMPLE_RATE_HZ
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.streaming.conversion_times import LATEST, TRIAL_CHUNKS, ConversionTimes

CHUNK_SIZES = tuple(SAMPLE_RATE_HZ * ms // 1000 for ms in (20, 40, 60, 80, 100, 120, 160, 200, 260, 320))
CARD_SIZES = 1  # so many of them are for graphics cards alone
HOLDS = 0.9  # of a chunk's length, for 99 of 100
TOO_MUCH = 0.8  # of a chunk's length, for 95 of 100: the next larger size is due,
LITTLE = 0.45  # and the next smaller one, when it stays below for long
FEWEST = LATEST + TRIAL_CHUNKS  # those of the trial were disturbed by the voice that spoke meanwhile
FIRST_PATIENCE_S = 60.0
SEPARATOR = "|"  # in no voice's name

log = logging.getLogger(__name__)


def chunk_sizes(device: str | None) -> tuple[int, ...]:
    """Those to choose from on a graphics card, or else on the CPU, the smallest first."""
    return CHUNK_SIZES if device else CHUNK_SIZES[CARD_SIZES:]


def holds(times: ConversionTimes) -> bool:
    """Whether the machine keeps up with chunks of this size, and has something left."""
    return times.load(99) <= HOLDS and times.load(95) <= TOO_MUCH


class AdaptiveChunk:
    """Which size of chunk suits the voice that speaks: a larger one soon, a smaller one late, ever later if in vain."""

    def __init__(self) -> None:
        self._patience_s = FIRST_PATIENCE_S

    def better(self, times: ConversionTimes, device: str | None) -> int | None:
        """Another size of chunk than that of ``times``, which were measured there; None where it is right."""
        larger = [size for size in chunk_sizes(device) if size > times.chunk_size]
        smaller = [size for size in chunk_sizes(device) if size < times.chunk_size]
        if times.count >= FEWEST and times.load(95, LATEST) > TOO_MUCH and larger:
            self._patience_s *= 2
            return larger[0]
        spoken_s = times.count * times.chunk_size / SAMPLE_RATE_HZ
        if spoken_s >= self._patience_s and times.load(95) < LITTLE and smaller:
            return smaller[-1]
        return None


class ChosenChunks:
    """What was chosen for each voice, by all that its time depends on, kept for the next start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten: dict[str, int] = {}

    def get(self, conversion: ConversionConfig) -> int | None:
        size = {**self._read(), **self._unwritten}.get(_key(conversion))
        return size if size in chunk_sizes(conversion.device) else None

    def keep(self, conversion: ConversionConfig, chunk_size: int) -> None:
        """Where it cannot be written, it is chosen again at the next start."""
        chosen = {_key(conversion): chunk_size}
        self._unwritten = {} if self._write({**self._read(), **chosen}) else {**self._unwritten, **chosen}

    def forget(self, voice: str) -> None:
        """The voice is no more."""
        chosen = self._read()
        remaining = {key: size for key, size in chosen.items() if key.partition(SEPARATOR)[0] != voice}
        if remaining != chosen:
            self._write(remaining)

    def _write(self, chosen: dict[str, int]) -> bool:
        try:
            write_atomically(self._path, json.dumps(chosen, indent=2))
        except RwcPwError as error:
            log.warning("%s", error)
            return False
        return True

    def _read(self) -> dict[str, int]:
        try:
            chosen = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # nothing yet, or nothing that could be read: it is chosen anew
            return {}
        return chosen if isinstance(chosen, dict) else {}


def _key(conversion: ConversionConfig) -> str:
    voice = conversion.model_path.name if conversion.model_path else ""
    computed = conversion.detector, conversion.device or "cpu", str(conversion.look_ahead_frames)
    return SEPARATOR.join((voice, *computed))

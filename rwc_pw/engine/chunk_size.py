"""Chooses StreamingConverter's chunk size, unless the user has pinned one."""

import json
import logging
from pathlib import Path

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.errors import RwcPwError
from rwc_pw.streaming.conversion_times import LATEST_CHUNKS, TRIAL_CHUNKS, ConversionTimes
from rwc_pw.system.reading import read_text
from rwc_pw.system.writing import write_atomically

CHUNK_SIZES = tuple(SAMPLE_RATE_HZ * ms // 1000 for ms in (20, 40, 60, 80, 100, 120, 160, 200, 260, 320))
GPU_SIZES = 1  # this many of them are for GPUs only
MOST_P99_LOAD = 0.9  # of a chunk's duration, for the 99th percentile
MOST_P95_LOAD = 0.8  # of a chunk's duration, for the 95th percentile: above it, take the next larger size;
LITTLE_P95_LOAD = 0.45  # below it for long, take the next smaller one
FEWEST = LATEST_CHUNKS + TRIAL_CHUNKS  # the trial's times were disturbed by the voice that spoke meanwhile
FIRST_PATIENCE_S = 60.0
SEPARATOR = "|"  # never in a voice's name

log = logging.getLogger(__name__)


def chunk_sizes(device: str | None) -> tuple[int, ...]:
    """The sizes to choose from, smallest first; ``device`` is a GPU, or None for the CPU."""
    return CHUNK_SIZES if device else CHUNK_SIZES[GPU_SIZES:]


def keeps_up(times: ConversionTimes) -> bool:
    """Return whether the machine keeps up with chunks of this size, and has some time to spare."""
    return times.load(99) <= MOST_P99_LOAD and times.load(95) <= MOST_P95_LOAD


class AdaptiveChunk:
    """Adapts the chunk size while a voice speaks: larger soon, smaller late, and ever later after failed attempts."""

    def __init__(self) -> None:
        self._patience_s = FIRST_PATIENCE_S

    def better(self, times: ConversionTimes, device: str | None) -> int | None:
        """A better chunk size than that of ``times``, measured on ``device``; None if it is right."""
        larger = [size for size in chunk_sizes(device) if size > times.chunk_size]
        smaller = [size for size in chunk_sizes(device) if size < times.chunk_size]
        if times.count >= FEWEST and times.load(95, LATEST_CHUNKS) > MOST_P95_LOAD and larger:
            self._patience_s *= 2
            return larger[0]
        spoken_s = times.count * times.chunk_size / SAMPLE_RATE_HZ
        if spoken_s >= self._patience_s and times.load(95) < LITTLE_P95_LOAD and smaller:
            return smaller[-1]
        return None


class ChosenChunks:
    """The chunk size chosen for each voice and everything its speed depends on, kept for the next start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten: dict[str, int] = {}

    def get(self, conversion: ConversionConfig) -> int | None:
        size = {**self._read(), **self._unwritten}.get(_key(conversion))
        return size if size in chunk_sizes(device_of(conversion)) else None

    def keep(self, conversion: ConversionConfig, chunk_size: int) -> None:
        """Store the choice; if it cannot be written, the size is chosen again at the next start."""
        chosen = {**self._unwritten, _key(conversion): chunk_size}
        self._unwritten = {} if self._write({**self._read(), **chosen}) else chosen

    def forget(self, voice: str) -> None:
        """Remove the choices for a deleted voice."""
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
            chosen = json.loads(read_text(self._path))
        except (OSError, ValueError, RecursionError):  # missing or unreadable: choose again
            return {}
        return chosen if isinstance(chosen, dict) else {}


def _key(conversion: ConversionConfig) -> str:
    voice = conversion.model_path.name if conversion.model_path else ""
    computed = conversion.detector.name, device_of(conversion) or "cpu", str(conversion.look_ahead_frames)
    return SEPARATOR.join((voice, *computed))

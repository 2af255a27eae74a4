"""Sound into and out of a private PipeWire, and how late it is to the sample."""

import functools
import itertools
import subprocess
import threading
from collections.abc import Callable
from typing import Self

import numpy as np
import soundfile

from rwc_pw.pipewire.headless import MICROPHONE, HeadlessPipeWire
from rwc_pw.pipewire.headless_objects import Objects, port_id

RATE_HZ = 48000
DEADLINE_S = 10.0
_numbers = itertools.count(1)


class Player:
    """Plays mono float32 once into an input port, through a pw-cat whose link keeps the graph running."""

    def __init__(
        self, headless: HeadlessPipeWire, samples: np.ndarray, *, into: str = f"{MICROPHONE}:input_MONO"
    ) -> None:
        self._headless = headless
        self._into = into
        self._name = f"player-{next(_numbers)}"
        self._file = headless.root / f"{self._name}.wav"
        soundfile.write(self._file, samples.astype(np.float32), RATE_HZ, subtype="FLOAT")

    def __enter__(self) -> Self:
        """Start; on return the link is active."""
        argv = ("pw-cat", "--playback", *stream(self._name), str(self._file))
        self._process = subprocess.Popen(argv, env=self._headless.environment, stdin=subprocess.DEVNULL)
        try:
            connect(self._headless, f"{self._name}:output_MONO", self._into)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, timeout_s: float = 60.0) -> None:
        """Wait until everything was played."""
        assert self._process.wait(timeout_s) == 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_S)


class PairRecorder:
    """Records two output ports in one pw-cat, so that both come under one clock."""

    def __init__(self, headless: HeadlessPipeWire, left_port: str, right_port: str) -> None:
        self._headless = headless
        self._ports = {"FL": left_port, "FR": right_port}
        self._heard = bytearray()
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> Self:
        """Start; what is recorded begins when both links are active."""
        name = f"recorder-{next(_numbers)}"
        argv = ("pw-cat", "--record", *raw_flag(), "--rate", str(RATE_HZ), "--channels", "2")
        argv += ("--channel-map", "stereo", "--format", "f32", *stream(name), "-")
        self._process = subprocess.Popen(
            argv, env=self._headless.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            for channel, port in self._ports.items():
                connect(self._headless, port, f"{name}:input_{channel}")
            with self._changed:
                del self._heard[: len(self._heard) // 8 * 8]  # whole frames
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, frames: int, timeout_s: float) -> None:
        """Wait until so many frames were recorded."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended or len(self._heard) >= frames * 8, timeout_s)
            assert not self._ended, "the recorder ended early"

    def frames(self) -> np.ndarray:
        """What was recorded until now, (n, 2)."""
        with self._changed:
            return np.frombuffer(bytes(self._heard[: len(self._heard) // 8 * 8]), dtype=np.float32).reshape(-1, 2)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while read := pipe.read1():
                self._take(read)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, read: bytes) -> None:
        with self._changed:
            self._heard += read
            self._changed.notify_all()


def record_pair(
    headless: HeadlessPipeWire,
    left_port: str,
    right_port: str,
    *,
    seconds: float | None = None,
    until: Callable[[], object] | None = None,
) -> np.ndarray:
    """What two output ports carry, (n, 2) at 48 kHz: for ``seconds``, or until ``until()`` returns."""
    with PairRecorder(headless, left_port, right_port) as recorder:
        if until is not None:
            until()
            return recorder.frames()
        frames = round((seconds or 1.0) * RATE_HZ)
        recorder.wait(frames, timeout_s=DEADLINE_S + frames / RATE_HZ)
        return recorder.frames()[:frames]


def delay_samples(reference: np.ndarray, heard: np.ndarray, window: int, *, longest: int = RATE_HZ) -> np.ndarray:
    """How many samples later each window of ``reference`` is in ``heard``: nan where it is silent or lost."""
    starts = range(0, len(reference) - window + 1, window)
    return np.array([_delay(reference[i : i + window], heard[i : i + window + longest]) for i in starts])


def _delay(wanted: np.ndarray, heard: np.ndarray) -> float:
    lags = len(heard) - len(wanted) + 1
    if lags < 1 or not np.any(wanted):
        return np.nan
    size = 1 << (len(heard) + len(wanted)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
    correlation = np.fft.irfft(spectrum, size)[:lags]
    energy = np.cumsum(np.concatenate(([0.0], heard.astype(np.float64) ** 2)))
    energy_there = energy[len(wanted) :] - energy[: -len(wanted)]
    loud = energy_there > 1e-6 * energy_there.max()  # elsewhere only the rounding of the sums is left
    likeness = np.zeros(lags)
    np.divide(correlation, np.sqrt(energy_there * np.sum(wanted.astype(np.float64) ** 2)), out=likeness, where=loud)
    best = int(np.argmax(likeness))
    return float(best) if likeness[best] > 0.5 else np.nan


def dominant_hz(samples: np.ndarray, rate_hz: int) -> float:
    """The frequency with the most energy."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    spectrum[0] = 0
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def tone(frequency_hz: float, seconds: float) -> np.ndarray:
    """A sine of half the full scale."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def connect(headless: HeadlessPipeWire, output: str, into: str) -> None:
    """Link two ports, ``node:port``, as soon as both are there, and wait until the link is active."""
    ends = headless.wait_for(lambda objects: _both(objects, output, into), timeout_s=DEADLINE_S)
    headless.run("pw-link", *map(str, ends))
    headless.wait_for(lambda objects: _is_active(objects, ends), timeout_s=DEADLINE_S)


def _both(objects: Objects, output: str, into: str) -> tuple[int, int] | None:
    out_id, in_id = (port_id(objects, *port.rsplit(":", 1)) for port in (output, into))
    return (out_id, in_id) if out_id and in_id else None


def _is_active(objects: Objects, ends: tuple[int, int]) -> bool:
    infos = (entry["info"] for entry in objects.values() if entry["type"] == "PipeWire:Interface:Link")
    links = {(info["output-port-id"], info["input-port-id"]): info["state"] for info in infos}
    return links.get(ends) == "active"


def stream(name: str) -> tuple[str, ...]:
    """pw-cat's options for a stream that the session manager leaves alone."""
    return ("--target", "0", "--properties", f"{{ node.name = {name} node.autoconnect = false }}")


@functools.cache
def raw_flag() -> tuple[str, ...]:
    """From 1.3.81 on ``-`` is raw only with this, before it is an error."""
    usage = subprocess.run(("pw-cat", "--help"), capture_output=True, text=True, check=False).stdout
    return ("--raw",) if "--raw" in usage else ()

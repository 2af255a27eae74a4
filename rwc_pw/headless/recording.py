"""Sound into and out of a private PipeWire: a simulated speaker, and a simulated recording app."""

import itertools
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.errors import RwcPwError
from rwc_pw.headless.conf import MICROPHONE, SPEAKERS
from rwc_pw.headless.servers import end
from rwc_pw.headless.session import DEADLINE_S, HeadlessPipeWire
from rwc_pw.pipewire.argv import DIES_WITH_US
from rwc_pw.pipewire.graph import Graph, Port
from rwc_pw.pipewire.pw_cat import PwCat
from rwc_pw.system.priority import raise_priority

FRAME_BYTES = 8  # two channels of float32
_numbers = itertools.count(1)

Frames = NDArray[np.float32]
"""Two channels: shape (n, 2), float32, at ``SAMPLE_RATE_HZ``."""


class _Stream:
    """A pw-cat in a private session, for the duration of a ``with``; on entry its links are active."""

    _process: "subprocess.Popen[bytes]"

    def __enter__(self) -> Self:
        self._start()
        try:
            self._connect()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the pw-cat."""
        end(self._process)

    def _start(self) -> None:
        raise NotImplementedError

    def _connect(self) -> None:
        raise NotImplementedError


class Player(_Stream):
    """Plays mono float32 once into an input port; its link keeps the graph running."""

    def __init__(
        self,
        headless: HeadlessPipeWire,
        samples: Samples,
        *,
        into: str = f"{MICROPHONE}:input_MONO",
        rate_hz: int = SAMPLE_RATE_HZ,
    ) -> None:
        """PipeWire resamples if ``rate_hz`` is not its own rate."""
        self._headless = headless
        self._into = into
        self._name = f"player-{next(_numbers)}"
        self._file = headless.root / f"{self._name}.wav"
        played = np.pad(samples.astype(np.float32), (0, rate_hz // 5))  # pw-cat drops an incomplete last quantum
        soundfile.write(self._file, played, rate_hz, subtype="FLOAT")

    def _start(self) -> None:
        self._process = _start(self._headless, _player(self._name, self._file))

    def _connect(self) -> None:
        connect(self._headless, f"{self._name}:output_MONO", self._into)

    def wait(self, timeout_s: float = DEADLINE_S) -> None:
        """Wait until everything has been played."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RwcPwError(f"What is played did not end within {timeout_s:g} s.") from None
        if code:
            raise RwcPwError(f"The player ended early, with {code}.")


class PairRecorder(_Stream):
    """Records two output ports in one pw-cat, on one clock, from the moment both are linked."""

    def __init__(self, headless: HeadlessPipeWire, left_port: str, right_port: str) -> None:
        self._headless = headless
        self._name = f"recorder-{next(_numbers)}"
        self._ports = {"FL": left_port, "FR": right_port}
        self._heard = bytearray()
        self._changed = threading.Condition()
        self._ended = False

    def _start(self) -> None:
        self._process = _start(self._headless, _recorder(self._headless, self._name), stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _connect(self) -> None:
        for channel, port in self._ports.items():
            connect(self._headless, port, self.port(channel))
        with self._changed:
            del self._heard[: len(self._heard) // FRAME_BYTES * FRAME_BYTES]

    def port(self, channel: str) -> str:
        """The port that records ``FL`` or ``FR``, as pw-link names it."""
        return f"{self._name}:input_{channel}"

    def wait(self, frames: int, timeout_s: float) -> None:
        """Wait until ``frames`` frames have been recorded."""
        with self._changed:
            enough = self._changed.wait_for(lambda: self._ended or len(self._heard) >= frames * FRAME_BYTES, timeout_s)
            if self._ended:
                raise RwcPwError("The recorder ended early.")
            if not enough:
                have = len(self._heard) // FRAME_BYTES
                raise RwcPwError(f"Of {frames} frames only {have} were recorded within {timeout_s:g} s.")

    def frames(self) -> Frames:
        """The frames recorded so far, (n, 2)."""
        with self._changed:
            whole = len(self._heard) // FRAME_BYTES * FRAME_BYTES
            return np.frombuffer(bytes(self._heard[:whole]), dtype=np.float32).reshape(-1, 2)

    def stop(self) -> None:
        super().stop()
        self._reader.join(DEADLINE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        with self._process.stdout as pipe:
            while read := pipe.read1():  # type: ignore[attr-defined]  # it is buffered
                self._take(read)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, read: bytes) -> None:
        with self._changed:
            self._heard += read
            self._changed.notify_all()


class AppRecorder(PairRecorder):
    """Records two output ports as an app would hear them: through the private session's speakers.

    Since 1.2, pw-cat's own streams are asynchronous: a recording one gets the sound of every node except the
    driver a whole cycle later than apps do (pw_stream without RT_PROCESS; one quantum observed with 1.4.2).
    A node of PipeWire itself gets both in time, and passes both on equally late.
    """

    def __init__(self, headless: HeadlessPipeWire, left_port: str, right_port: str) -> None:
        super().__init__(headless, f"{SPEAKERS}:monitor_FL", f"{SPEAKERS}:monitor_FR")
        self._heard_ports = {f"{SPEAKERS}:playback_FL": left_port, f"{SPEAKERS}:playback_FR": right_port}

    def _connect(self) -> None:
        super()._connect()
        for into, port in self._heard_ports.items():
            connect(self._headless, port, into)

    def __exit__(self, *_: object) -> None:
        try:
            for into, port in self._heard_ports.items():
                self._headless.run("pw-link", "--disconnect", port, into)
        finally:
            super().__exit__()


def connect(headless: HeadlessPipeWire, output: str, into: str) -> None:
    """Link two ports, ``node:port``, once both exist, and wait until the link is active."""
    ends = headless.wait_for(lambda graph: _both(graph, output, into), timeout_s=DEADLINE_S)
    headless.run("pw-link", *(str(port.id) for port in ends))
    headless.wait_for(lambda graph: _is_active(graph, ends), timeout_s=DEADLINE_S)


def pw_cat_of(headless: HeadlessPipeWire) -> PwCat:
    """Features of its pw-cat."""
    return PwCat.probe(headless.run("pw-cat", "--version"), headless.run("pw-cat", "--help"))


def _both(graph: Graph, output: str, into: str) -> tuple[Port, Port] | None:
    ends = graph.port(output), graph.port(into)
    return ends if ends[0] and ends[1] else None  # type: ignore[return-value]  # neither is None


def _is_active(graph: Graph, ends: tuple[Port, Port]) -> bool:
    link = graph.link(*ends)
    return link is not None and link.state == "active"


def _player(name: str, file: Path) -> list[str]:
    return [*DIES_WITH_US, "pw-cat", "--playback", *_stream(name), str(file)]


def _recorder(headless: HeadlessPipeWire, name: str) -> list[str]:
    stereo = ("--rate", str(SAMPLE_RATE_HZ), "--channels", "2", "--channel-map", "stereo", "--format", "f32")
    return [*DIES_WITH_US, "pw-cat", "--record", *pw_cat_of(headless).raw_flag, *stereo, *_stream(name), "-"]


def _stream(name: str) -> tuple[str, ...]:
    """The options of a stream that the session manager leaves alone."""
    return ("--target", "0", "--properties", f"{{ node.name = {name} node.autoconnect = false }}")


def _start(headless: HeadlessPipeWire, argv: Sequence[str], stdout: int | None = None) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(argv, env=headless.environment, stdin=subprocess.DEVNULL, stdout=stdout)
    raise_priority(process.pid)  # a microphone is on time, whatever else the machine does
    return process

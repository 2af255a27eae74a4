"""What apps hear and what the status tells, with the time at which it came."""

import json
import subprocess
import threading
import time
from typing import Any

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.headless.session import HeadlessPipeWire
from tests.benchmarks.campaign.real_voice import is_loud
from tests.benchmarks.campaign.verdict import ALL_IS_WELL
from tests.servers.program import Program
from tests.servers.pulse_client import start_parec

SAMPLE_BYTES = 4
ASK_AGAIN_S = 1.0
END_S = 2.0
LOOK_S = 0.02
ENOUGH = 0.9  # of the time: on a busy machine, some is lost


class App:
    """Records from RWC Voice until it is closed, or until its server ends it."""

    def __init__(self, headless: HeadlessPipeWire) -> None:
        self.opened_s = time.monotonic()
        self.closed_s: float | None = None
        self.arrivals: list[tuple[float, int]] = []
        """When something came, and how many samples had come by then."""
        self._sound = bytearray()
        self._parec = start_parec(headless, "rwc_voice")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        self._parec.terminate()
        try:
            self._parec.wait(END_S)
        except subprocess.TimeoutExpired:  # its server is stopped
            self._parec.kill()
            self._parec.wait()
        self._thread.join()

    def sound(self) -> Samples:
        """All that it has heard so far: mono float32 at 48 kHz."""
        whole = len(self._sound) // SAMPLE_BYTES * SAMPLE_BYTES
        return np.frombuffer(bytes(self._sound[:whole]), np.float32)

    def hears_voice_for(self, seconds: float) -> bool:
        """Whether it has heard a voice for so long, up to now."""
        sound = self.sound()[-round(seconds * SAMPLE_RATE_HZ) :]
        now_s = time.monotonic()
        is_fresh = bool(self.arrivals) and now_s - self.arrivals[-1][0] < seconds / 2
        return is_fresh and now_s - self.opened_s > seconds and float(np.mean(is_loud(sound))) > ENOUGH

    def _read(self) -> None:
        assert self._parec.stdout is not None
        with self._parec.stdout as pipe:
            while read := pipe.read1(1 << 16):  # type: ignore[attr-defined]  # it is buffered
                self._sound += read
                self.arrivals.append((time.monotonic(), len(self._sound) // SAMPLE_BYTES))
        self.closed_s = time.monotonic()


class Told:
    """The status from now on, followed as a user would."""

    def __init__(self, program: Program) -> None:
        self.statuses: list[tuple[float, dict[str, Any]]] = []
        """When it was told, and what; empty while nobody tells anything."""
        self._program = program
        self._ending = threading.Event()
        self._watch: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        if self._watch:
            self._watch.terminate()
        self._thread.join()

    def wait_until_unwell(self, since_s: float, longest_s: float) -> None:
        """Wait until a status since then tells that something is wrong, or for so long."""
        while time.monotonic() < since_s + longest_s:
            if any(at_s > since_s and status and status["state"] not in ALL_IS_WELL for at_s, status in self.statuses):
                return
            time.sleep(LOOK_S)

    def _follow(self) -> None:
        argv = self._program.argv("status", "--watch", "--json")
        nothing = subprocess.DEVNULL
        while not self._ending.wait(ASK_AGAIN_S):
            with subprocess.Popen(
                argv, env=self._program.environment, stdout=subprocess.PIPE, stderr=nothing, text=True
            ) as self._watch:
                for line in self._watch.stdout:
                    self.statuses.append((time.monotonic(), json.loads(line)))
                    if self._ending.is_set():
                        self._watch.terminate()
            self.statuses.append((time.monotonic(), {}))

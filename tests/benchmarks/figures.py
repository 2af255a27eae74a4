"""Measures what the README claims, on a private PipeWire: ``python -m tests.benchmarks.figures [ROW …]``.

Rows: transport conservation stall idle start status enable crashes; without one, all. Takes about ten minutes, wants
quiet cores.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rwc_pw.headless.recording import AppRecorder
from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.streaming import IdentityBackend
from tests.servers.program import Program
from tests.servers.rig import Rig, Stalling
from tests.servers.session import Session, are_at_rest, processes, states
from tests.servers.sound import (
    MICROPHONE_PORT,
    RATE_HZ,
    VOICE_PORT,
    PairRecorder,
    Player,
    delays,
    noise,
    real_speech,
)

SECONDS = 60


def main() -> None:
    rows: dict[str, Callable[[], None]] = {
        "transport": transport,
        "conservation": conservation,
        "stall": stall,
        "idle": idle,
        "start": start,
        "status": status,
        "enable": enable,
        "crashes": crashes,
    }
    for name in sys.argv[1:] or rows:
        rows[name]()


@contextmanager
def session(quantum: int = 256) -> Iterator[Session]:
    with tempfile.TemporaryDirectory(prefix="pw-") as root, Session(Path(root), quantum=quantum) as headless:
        yield headless


@contextmanager
def enabled() -> Iterator[tuple[Session, Program]]:
    with session() as headless:
        program = Program(headless)
        program("enable")
        try:
            yield headless, program
        finally:
            program.run("disable")


def transport() -> None:
    for quantum in (128, 256, 1024):
        with session(quantum) as headless, Rig(headless, IdentityBackend(), chunk_size=quantum) as rig:
            with Player(headless, noise(SECONDS + 10)), AppRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder:
                recorder.wait((SECONDS + 1) * RATE_HZ, timeout_s=SECONDS + 20)
                declared_ms = rig.declared_samples() / 48
                pair = recorder.frames()[RATE_HZ:]
            lost = rig.nodes.skipped_samples, rig.pipeline.get_metrics().late_ms
        found = delays(pair)
        print(
            f"transport, quantum {quantum}: median {np.median(found) / 48:.1f} ms, "
            f"{np.median(found) / quantum:.2f} quanta, "
            f"max - min {(found.max() - found.min()) / quantum:.2f} quanta over {len(found) / 10:.0f} s, "
            f"declared {declared_ms:.1f} ms, skipped {lost[0]} samples, late {lost[1]:.1f} ms",
            flush=True,
        )


def conservation() -> None:
    said = real_speech()
    with session() as headless, Rig(headless, IdentityBackend()) as rig:
        with PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder:
            recorder.wait(RATE_HZ, timeout_s=10)
            with Player(headless, said) as player:
                player.wait(len(said) / RATE_HZ + 20)
            recorder.wait(len(recorder.frames()) + RATE_HZ // 2, timeout_s=5)
        pair = recorder.frames()
        skipped = rig.nodes.skipped_samples
    begin = int(np.flatnonzero(pair[:, 0])[0])
    delay = int(np.median(delays(pair)))
    heard = pair[begin + delay :, 1]
    wrong = int(np.count_nonzero(heard != pair[begin : begin + len(heard), 0]))
    print(f"conservation: {wrong} of {len(heard)} samples differ; skipped {skipped}", flush=True)


def stall() -> None:
    backend = Stalling()
    with session() as headless, Rig(headless, backend) as rig, Player(headless, noise(60)):
        with PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder:
            recorder.wait(2 * RATE_HZ, timeout_s=10)
            ends = []
            for _ in range(10):
                backend.go.clear()
                recorder.wait(len(recorder.frames()) + RATE_HZ, timeout_s=10)
                backend.go.set()
                ends.append(len(recorder.frames()))
                recorder.wait(len(recorder.frames()) + 3 * RATE_HZ, timeout_s=10)
            pair = recorder.frames()
        health = rig.pipeline.get_metrics().buffer_health
    before = np.median(delays(pair[: 2 * RATE_HZ])[5:])
    off, back_s = [], []
    for end in ends:
        after = delays(pair[end : end + 3 * RATE_HZ])
        off.append(abs(np.median(after[-5:]) - before) / 48)
        wrong = np.flatnonzero(np.abs(after - before) > 5 * 48)
        back_s.append((wrong[-1] + 1) / 10 if len(wrong) else 0.0)
    print(
        f"stall of 1 s, ten times: at most {max(off):.1f} ms from the delay before, back within {max(back_s):.1f} s; "
        f"counted as lost {(health.dropped_samples + health.late_samples) / 48000:.2f} s",
        flush=True,
    )


def idle() -> None:
    with enabled() as (headless, program):
        pid = daemon_pid(headless)
        listen_once(headless)
        headless.wait_for(are_at_rest, timeout_s=20)
        tree = [pid, *(int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        before = [cpu_s(process) for process in tree]
        time.sleep(30)
        used = [cpu_s(process) - was for process, was in zip(tree, before, strict=True)]
        print(
            f"idle: daemon {used[0] / 30:.2%} of a core over 30 s, its processes {sum(used[1:]) / 30:.2%}", flush=True
        )
        assert program.status()["state"] == "armed"


def start() -> None:
    with enabled() as (headless, _), Player(headless, noise(120), into="headless_microphone:input_MONO"):
        waits_ms = []
        for _ in range(10):
            headless.wait_for(lambda graph: states(graph).get("rwc_voice") == "suspended")
            with PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder:
                recorder.wait(RATE_HZ, timeout_s=10)
                heard = np.flatnonzero(recorder.frames()[:, 1])
            waits_ms.append(heard[0] / 48 if len(heard) else float("inf"))
    print(
        f"first converted sample: median {statistics.median(waits_ms):.0f} ms, at most {max(waits_ms):.0f} ms",
        flush=True,
    )


def status() -> None:
    with enabled() as (_, program):
        times_ms = [timed(lambda: program("status")) * 1000 for _ in range(21)][1:]
    print(f"status: median {statistics.median(times_ms):.0f} ms, at most {max(times_ms):.0f} ms", flush=True)


def enable() -> None:
    times_s = []
    for _ in range(5):
        with session() as headless:
            program = Program(headless)
            since = time.monotonic()
            program("enable")
            headless.run("pactl", "get-source-volume", "rwc_voice")
            times_s.append(time.monotonic() - since)
            program("disable")
    print(f"enable to a selectable source: median {statistics.median(times_s):.2f} s, at most {max(times_s):.2f} s")


def crashes() -> None:
    for name, crash in {
        "recorder": lambda headless: kill(headless, "--record"),
        "player": lambda headless: kill(headless, "--playback"),
        "pipewire": lambda headless: restart(headless, "pipewire"),
        "wireplumber": lambda headless: restart(headless, "wireplumber"),
        "bus": lambda headless: restart(headless, "dbus-daemon"),
    }.items():
        times_s = []
        for _ in range(3):
            with enabled() as (headless, _):
                listen_once(headless)
                since = crash(headless)
                listen_once(headless)
                times_s.append(time.monotonic() - since)
        print(
            f"kill -9 of {name}: sound after {statistics.median(times_s):.2f} s, at most {max(times_s):.2f} s",
            flush=True,
        )


def listen_once(headless: HeadlessPipeWire) -> None:
    """Return as soon as a sample of the converted voice has been heard."""
    with Player(headless, noise(30)):
        argv = ["parec", "--device=rwc_voice", "--raw", "--format=float32le", "--channels=1", "--latency-msec=20"]
        with subprocess.Popen(argv, env=headless.environment, stdout=subprocess.PIPE) as parec:
            watchdog = threading.Timer(20, parec.kill)
            watchdog.start()
            while block := parec.stdout.read(1024):
                if any(block):
                    break
            watchdog.cancel()
            parec.terminate()
            assert any(block), "nothing was heard"


def kill(headless: HeadlessPipeWire, word: str) -> float:
    [pid] = [pid for pid, line in processes(headless.root) if word in line and line.startswith("pw-cat")]
    since = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return since


def restart(headless: Session, server: str) -> float:
    headless.kill(server)
    since = time.monotonic()
    headless.restart(server)
    return since


def daemon_pid(headless: HeadlessPipeWire) -> int:
    return next(pid for pid, line in processes(headless.root) if "rwc_pw daemon" in line)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(action: Callable[[], object]) -> float:
    since = time.monotonic()
    action()
    return time.monotonic() - since


if __name__ == "__main__":
    main()

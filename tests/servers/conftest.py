"""Real servers in a private session: one for each test, started in a twentieth of a second."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rwc_pw.pipewire.headless import SERVERS, TOOLS, HeadlessPipeWire
from tests.conftest import require
from tests.servers.program import Program

DROP_IN = Path(__file__).parents[2] / "pipewire-conf" / "50-rwc-voice.conf"
Start = Callable[..., HeadlessPipeWire]


@pytest.fixture(scope="session")
def servers() -> None:
    """PipeWire's programs are installed, or the test is skipped."""
    require(SERVERS + TOOLS)


@pytest.fixture
def start_headless(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:  # noqa: ARG001
    """Starts private sessions, with the drop-in when ``rwc_voice=True``; they must end without a trace."""
    started: list[HeadlessPipeWire] = []

    def start(*, rwc_voice: bool = False, quantum: int = 256, microphone: bool = True) -> HeadlessPipeWire:
        root = tmp_path_factory.mktemp("pw")  # not tmp_path: a long test name would make the sockets' paths too long
        headless = HeadlessPipeWire(root, quantum=quantum, microphone=microphone)
        if rwc_voice:
            conf_d = Path(headless.environment["XDG_CONFIG_HOME"], "pipewire", "pipewire.conf.d")
            conf_d.mkdir(parents=True)
            shutil.copy(DROP_IN, conf_d)
        started.append(headless)
        headless.start()
        return headless

    yield start
    for headless in started:
        headless.stop()
    assert [trace for headless in started for trace in traces(headless.root)] == []


@pytest.fixture
def headless(start_headless: Start, request: pytest.FixtureRequest) -> HeadlessPipeWire:
    """A started private session with a fake microphone and fake speakers, at the quantum that a test asks for."""
    return start_headless(quantum=getattr(request, "param", 256))


@pytest.fixture
def voiced(start_headless: Start) -> HeadlessPipeWire:
    """The same with the microphone RWC Voice, into which nobody plays."""
    return start_headless(rwc_voice=True)


def traces(root: Path) -> list[str]:
    """Sockets below ``root``, and processes that live in the session of it."""
    sockets = [str(path) for path in root.rglob("*") if path.is_socket()]
    return sockets + [f"{pid}: {command}" for pid, command in processes(root)]


def processes(root: Path) -> Iterator[tuple[int, str]]:
    """Every process of the session at ``root``, with its command line."""
    mark = b"XDG_RUNTIME_DIR=%b\0" % os.fsencode(root / "run")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes() and (command := (process / "cmdline").read_text()):
                yield int(process.name), command.replace("\0", " ")
        except OSError:  # it ended meanwhile (as without a command line), or is another user's
            continue


@pytest.fixture
def program(headless: HeadlessPipeWire) -> Iterator[Program]:
    """``rwc-pw`` in a private session; switched off at the end."""
    program = Program(headless)
    yield program
    program.run("disable")


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    return real_speech()


def real_speech() -> np.ndarray:
    """A minute of speech where it lies beside the project, else of noise that comes and goes; mono at 48 kHz."""
    folder = Path(os.environ.get("RWC_PW_SPEECH", Path(__file__).parents[3] / "shared" / "speech"))
    files = sorted(folder.rglob("*.flac"))[::5]
    if not files:
        time_s = np.arange(60 * 48000) / 48000
        return (0.2 * np.random.default_rng(1).standard_normal(len(time_s)) * np.sin(7 * time_s) ** 2).astype("f4")
    thrice = [np.repeat(soundfile.read(file, dtype="float32")[0], 3) for file in files]  # 16 kHz, where it matters not
    return np.concatenate(thrice)[: 60 * 48000]

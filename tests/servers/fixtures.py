"""Real servers in a private session: one for each test, started in a twentieth of a second."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rwc_pw.headless.servers import SERVERS
from rwc_pw.headless.session import TOOLS
from tests.conftest import require
from tests.servers.program import Program
from tests.servers.session import Session, traces
from tests.servers.sound import real_speech

DROP_IN = Path(__file__).parents[2] / "pipewire-conf" / "50-rwc-voice.conf"
Start = Callable[..., Session]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs servers, before it is selected or not."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker("needs_servers")


@pytest.fixture(scope="session")
def servers() -> None:
    """PipeWire's programs are installed, or the test is skipped."""
    require(SERVERS + TOOLS)


@pytest.fixture
def start_headless(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:  # noqa: ARG001
    """Starts private sessions, with the drop-in when ``rwc_voice=True``; they must end without a trace."""
    started: list[Session] = []

    def start(*, rwc_voice: bool = False, quantum: int = 256, microphone: bool = True) -> Session:
        root = tmp_path_factory.mktemp("pw")  # not tmp_path: a long test name would make the sockets' paths too long
        headless = Session(root, quantum=quantum, microphone=microphone)
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
def headless(start_headless: Start, request: pytest.FixtureRequest) -> Session:
    """A started private session with a fake microphone and fake speakers, at the quantum that a test asks for."""
    return start_headless(quantum=getattr(request, "param", 256))


@pytest.fixture
def voiced(start_headless: Start) -> Session:
    """The same with the microphone RWC Voice, into which nobody plays."""
    return start_headless(rwc_voice=True)


@pytest.fixture
def program(headless: Session) -> Iterator[Program]:
    """``rwc-pw`` in a private session; switched off at the end."""
    program = Program(headless)
    yield program
    program.run("disable")


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    return real_speech()

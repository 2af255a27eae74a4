"""No test reaches the session, the settings or the devices of the person who runs it, or depends on how it is run."""

import ctypes
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from rwc_pw.pipewire.headless_conf import DIRECTORIES, private_environment

PR_SET_CHILD_SUBREAPER = 36  # from <linux/prctl.h>


def pytest_configure() -> None:
    """Undo what was inherited: after nohup, and in a shell's background, programs ignore SIGHUP and SIGINT.

    pytest goes on ignoring them, but what it starts does not.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become ours, so that they are found


@pytest.fixture(autouse=True)
def _no_child_outlives_its_test() -> Iterator[None]:
    """End whatever process a test has left, and name it."""
    before = _children()
    yield
    left = {pid: command for pid, command in _children().items() if pid not in before}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"still running: {', '.join(left.values())}"


def _children() -> dict[int, str]:
    """This process's running children, with their command lines."""
    found = {}
    for listed in Path("/proc/self/task").glob("*/children"):
        for pid in _read(listed).split():
            if command := _read(Path("/proc", pid, "cmdline")):  # a zombie has none
                found[int(pid)] = command.replace("\0", " ").strip()
    return found


def _read(path: Path) -> str:
    """The file's content; empty if the process or thread has ended."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture(scope="session", autouse=True)
def _nobodys_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Homes of our own, and a runtime directory in which nobody listens."""
    root = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        private = private_environment(root)
        for name in os.environ.keys() - private.keys():
            patch.delenv(name)
        for name, value in private.items():
            patch.setenv(name, value)
        for name in DIRECTORIES:
            Path(private[name]).mkdir(mode=0o700)
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(marker.args)
    if item.get_closest_marker("needs_rvc") and find_spec("ultimate_rvc") is None:
        if os.environ.get("RWC_PW_REQUIRE_RVC") == "1":
            pytest.fail("RWC_PW_REQUIRE_RVC=1, and rwc-pw[rvc] is not installed.")
        pytest.skip("It needs the extra rwc-pw[rvc].")


def require(programs: Sequence[str]) -> None:
    """Skip the test unless these are installed; under RWC_PW_REQUIRE_SERVERS=1, as in CI, fail it."""
    missing = ", ".join(name for name in programs if shutil.which(name) is None)
    if missing and os.environ.get("RWC_PW_REQUIRE_SERVERS") == "1":
        pytest.fail(f"RWC_PW_REQUIRE_SERVERS=1, and these are not installed: {missing}.")
    if missing:
        pytest.skip(f"It needs {missing}.")

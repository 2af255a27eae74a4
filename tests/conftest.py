"""No test reaches the session, the settings or the devices of the person who runs it, or depends on how it is run."""

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import chain, compress, groupby, zip_longest
from operator import not_
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rwc_pw.headless.conf import DIRECTORIES, private_environment

pytest_plugins = ("tests.servers.fixtures", "tests.rvc.fixtures")

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,  # however long the machine takes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

MARK = f"RWC_PW_TEST_RUN={os.getpid()}"
"""In the environment of whatever a test starts."""


def pytest_configure() -> None:
    """Undo what was inherited: after nohup, and in a shell's background, programs ignore SIGHUP and SIGINT.

    pytest goes on ignoring them, but what it starts does not.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    settings.load_profile("repeatable")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a file that needs servers, and mostly waits, alternate with one that does not, and mostly computes."""
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    waits = [any(test.get_closest_marker("needs_servers") for test in tests) for tests in files]
    turns = zip_longest(compress(files, map(not_, waits)), compress(files, waits), fillvalue=[])
    items[:] = chain.from_iterable(chain.from_iterable(turns))


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test() -> Iterator[None]:
    """End whatever a test has left running, and name it."""
    before = _started()
    yield
    left = {pid: command for pid, command in _started().items() if pid not in before}
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"still running: {', '.join(left.values())}"


def _started() -> dict[int, str]:
    """The running processes that tests have started, with their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if MARK in (process / "environ").read_text(errors="replace").split("\0"):
                found[int(process.name)] = (process / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
    return found


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
        patch.setenv(*MARK.split("="))
        patch.setenv("LC_ALL", "C.UTF-8")  # the tools' words are those that tests look for, in any country
        patch.delenv("LANGUAGE", raising=False)
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

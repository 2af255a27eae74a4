"""No test reaches the session, the settings or the devices of the person who runs it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from rwc_pw.pipewire.headless_conf import DIRECTORIES, private_environment


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

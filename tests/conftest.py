"""No test reaches the session, the settings or the devices of the person who runs it."""

import os
from collections.abc import Iterator
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

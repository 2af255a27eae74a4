import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rwc_pw import daemon
from rwc_pw.daemon import Daemon
from rwc_pw.errors import UnavailableError
from tests.installed import InstalledPaths
from tests.patience import PATIENCE_S


def test_a_pulse_server_that_stands_still_does_not_keep_the_daemon_from_ending(tmp_path, monkeypatch):
    answers = threading.Event()
    monkeypatch.setattr(daemon, "list_devices", answers.wait)
    monkeypatch.setattr(daemon, "LONGEST_PULSE_S", 0.01)

    async def ask() -> None:
        with pytest.raises(UnavailableError, match="pipewire-pulse does not answer"):
            await Daemon(InstalledPaths.from_environment({"HOME": str(tmp_path)})).devices()

    with ThreadPoolExecutor() as pool:
        ended = pool.submit(asyncio.run, ask())
        try:
            ended.result(PATIENCE_S)
        finally:
            answers.set()

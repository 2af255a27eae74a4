"""The daemon: the engine and the bus service, started in order and stopped in reverse."""

import asyncio

from rwc_pw.config import config_of
from rwc_pw.control.service import BusService
from rwc_pw.engine.engine import VoiceEngine
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends

SETTLE_S = 3.0


class Daemon:
    """Feeds RWC Voice and answers on the bus until told to quit."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._bus = BusService(self)
        self._engine = VoiceEngine(config_of(paths), paths, self._bus.announce)
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Run until ``quit``, or until the session ends."""
        await self._bus.acquire()
        try:
            await until_one_ends(self._engine.run(), self._bus.run(), self._ending.wait())
        finally:
            self._bus.release()

    def status_json(self) -> str:
        return self._engine.status().to_json()

    async def settle(self) -> None:
        await self._engine.settle(SETTLE_S)

    def reload(self) -> None:
        self._engine.apply(config_of(self._paths))

    def set_bypass(self, bypass: bool) -> None:
        self._engine.set_bypass(bypass)

    def quit(self) -> None:
        self._ending.set()

    def is_feeding(self) -> bool:
        """Return whether PipeWire is there, with streams of ours."""
        return self._engine.is_feeding

    def was_asked_to_give_way(self) -> bool:
        """Return whether another rwc-pw has wanted to feed RWC Voice, or to remove it, since the last call."""
        return self._engine.was_asked_to_give_way()

"""The daemon: the engine and the bus service, started in order and stopped in reverse."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from rwc_pw.config import config_of, save_config
from rwc_pw.control.service import BusService
from rwc_pw.engine.engine import VoiceEngine
from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.chosen_input import name_of_input
from rwc_pw.pipewire.devices import list_devices, mute_voice
from rwc_pw.status import Status
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends
from rwc_pw.voices.catalogue import catalogue
from rwc_pw.voices.store import VoiceStore

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

    def status(self) -> Status:
        return self._engine.status()

    def settings(self) -> dict[str, Any]:
        """Every setting, by its key in config.toml."""
        return asdict(self._engine.config)

    async def settle(self) -> None:
        await self._engine.settle(SETTLE_S)

    async def set(self, changes: Mapping[str, Any]) -> None:
        """Change settings in config.toml, and apply them; ``UsageError`` lists all that is wrong with them."""
        chosen = dict(changes)
        if isinstance(device := chosen.get("input_device"), str):
            with suppress(UnavailableError):  # PipeWire will tell whether there is such a microphone
                chosen["input_device"] = await name_of_input(device, self._engine.config.input_device)
        names = VoiceStore(self._paths.voices_dir).names()
        self._engine.apply(save_config(self._paths.config_file, chosen, names))

    async def voices(self) -> list[dict[str, str]]:
        """Every voice, as the catalogue describes it."""
        return await asyncio.to_thread(catalogue, VoiceStore(self._paths.voices_dir))

    async def devices(self) -> list[dict[str, Any]]:
        """Every source that RWC Voice could record."""
        return [asdict(device) for device in await asyncio.to_thread(list_devices)]

    async def mute(self, muted: bool) -> None:
        await asyncio.to_thread(mute_voice, muted)

    def take_levels(self) -> tuple[float, float]:
        """The loudest sample of the microphone and that of RWC Voice since the last call, full scale 1."""
        levels = self._engine.take_levels()
        return levels.captured, levels.played

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

"""The daemon: the engine and the bus service, started in order and stopped in reverse."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from rwc_pw.config import changed_config, config_of, save_config
from rwc_pw.control.service import BusService
from rwc_pw.engine.engine import VoiceEngine
from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.chosen_input import name_of_input
from rwc_pw.pipewire.devices import list_devices, mute_voice
from rwc_pw.status import Status
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import in_daemon_thread, until_one_ends
from rwc_pw.voices.catalogue import catalogue
from rwc_pw.voices.store import VoiceStore

SETTLE_S = 3.0
LONGEST_PULSE_S = 5.0
FULL_SCALE = 1.0

T = TypeVar("T")


class Daemon:
    """Feeds RWC Voice and answers on the bus until told to quit."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._bus = BusService(self)
        self._engine = VoiceEngine(config_of(paths), paths, self._bus.announce)
        self._ending = asyncio.Event()
        self._pulse = asyncio.Lock()

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
        chosen, names = dict(changes), VoiceStore(self._paths.voices_dir).names()
        changed_config(self._paths.config_file, chosen, names)
        if device := chosen.get("input_device"):
            with suppress(UnavailableError):  # PipeWire will tell whether there is such a microphone
                chosen["input_device"] = await name_of_input(device, self._engine.config.input_device)
        self._engine.apply(save_config(self._paths.config_file, chosen, names))

    async def voices(self) -> list[dict[str, str]]:
        """Every voice, as the catalogue describes it."""
        return await asyncio.to_thread(catalogue, VoiceStore(self._paths.voices_dir))

    async def devices(self) -> list[dict[str, Any]]:
        """Every source that RWC Voice could record."""
        return [asdict(device) for device in await self._ask_pulse(list_devices)]

    async def mute(self, muted: bool) -> None:
        await self._ask_pulse(lambda: mute_voice(muted))

    async def _ask_pulse(self, ask: Callable[[], T]) -> T:
        """The answer of pipewire-pulse, one at a time; ``UnavailableError`` if it stands still."""
        try:
            async with asyncio.timeout(LONGEST_PULSE_S), self._pulse:
                return await in_daemon_thread(ask)
        except TimeoutError:
            remedy = "Restart it: `systemctl --user restart pipewire-pulse`."
            raise UnavailableError("pipewire-pulse does not answer.", remedy) from None

    def take_levels(self) -> tuple[float, float]:
        """The loudest sample of the microphone and that of RWC Voice since the last call, full scale 1."""
        levels = self._engine.take_levels()
        return min(FULL_SCALE, levels.captured), min(FULL_SCALE, levels.played)

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

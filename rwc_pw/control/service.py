"""The daemon's interface on the session bus; its bus name is also the single-instance lock."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from dbus_next import DBusError, RequestNameReply
from dbus_next.constants import NameFlag
from dbus_next.service import ServiceInterface, method, signal

from rwc_pw.control.bus import CALL_TIMEOUT_S, SessionBus, bus_errors, connect
from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.names import BUS_NAME, ERROR_NAME, INTERFACE, OBJECT_PATH

RECONNECT_S = 0.1  # before the bus would start a second daemon for a caller
LONGEST_WITHOUT_BUS_S = 30.0  # and without PipeWire: after that, the session is over
ANNOUNCE_AGAIN_S = 0.5  # after a bus that was slow


class Controlled(Protocol):
    """Requests that the bus passes on to the daemon."""

    def status_json(self) -> str: ...
    async def settle(self) -> None: ...
    def reload(self) -> None: ...
    def set_bypass(self, bypass: bool) -> None: ...
    def quit(self) -> None: ...
    def is_feeding(self) -> bool: ...
    def was_asked_to_give_way(self) -> bool: ...


class BusService:
    """Holds the name and answers under it; ``run`` lasts until another daemon has it or the session is over.

    The session is over if it has no bus for long while nothing is fed; without a bus, it gives way to another rwc-pw.
    """

    def __init__(self, daemon: Controlled) -> None:
        self._daemon = daemon
        self._interface = _Interface(daemon)
        self._bus: SessionBus | None = None
        self._postponed: asyncio.TimerHandle | None = None

    def announce(self) -> None:
        """Signal that the status has changed; once for all changes if the bus is slow."""
        if self._postponed:
            return
        if self._bus and self._bus.is_congested:
            self._postponed = asyncio.get_running_loop().call_later(ANNOUNCE_AGAIN_S, self._announce_postponed)
        elif self._bus and self._bus.connected:
            self._interface.StatusChanged()

    def _announce_postponed(self) -> None:
        self._postponed = None
        self.announce()

    async def acquire(self) -> None:
        """Connect and take the name; ``UnavailableError`` without a bus, ``RwcPwError`` if it is taken."""
        bus = await connect()
        try:
            bus.export(OBJECT_PATH, self._interface)
            with bus_errors():
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    reply = await bus.request_name(BUS_NAME, NameFlag.DO_NOT_QUEUE)
            if reply is not RequestNameReply.PRIMARY_OWNER:
                raise RwcPwError("RWC Voice is already running.", "`rwc-pw status` shows what it does.")
        except BaseException:
            bus.disconnect()
            raise
        self._bus = bus

    async def run(self) -> None:
        """Keep the name across restarts of the bus; call after ``acquire``."""
        while self._bus:
            with contextlib.suppress(Exception):  # whatever ended the connection, it is made anew
                await self._bus.wait_for_disconnect()
            await self._reacquire()

    def release(self) -> None:
        """Leave the bus."""
        if self._bus:
            self._bus.disconnect()

    async def _reacquire(self) -> None:
        loop = asyncio.get_running_loop()
        fed_s = loop.time()
        self._daemon.was_asked_to_give_way()  # whoever asked while there was a bus has been refused
        while True:
            try:
                return await self.acquire()
            except UnavailableError:
                now_s = loop.time()
                if self._daemon.is_feeding():
                    fed_s = now_s
                if now_s > fed_s + LONGEST_WITHOUT_BUS_S or self._daemon.was_asked_to_give_way():
                    raise
                await asyncio.sleep(RECONNECT_S)


class _Interface(ServiceInterface):
    def __init__(self, daemon: Controlled) -> None:
        super().__init__(INTERFACE)
        self._daemon = daemon

    @method()
    def Status(self) -> "s":  # type: ignore[name-defined]  # noqa: F821
        return self._daemon.status_json()

    @method()
    async def Settle(self) -> "s":  # type: ignore[name-defined]  # noqa: F821
        await self._daemon.settle()
        return self._daemon.status_json()

    @method()
    def Reload(self) -> None:
        _told(self._daemon.reload)

    @method()
    def SetBypass(self, bypass: "b") -> None:  # type: ignore[name-defined]  # noqa: F821
        _told(lambda: self._daemon.set_bypass(bypass))

    @method()
    def Quit(self) -> None:
        self._daemon.quit()

    @signal()
    def StatusChanged(self) -> "s":  # type: ignore[name-defined]  # noqa: F821
        return self._daemon.status_json()


def _told(action: Callable[[], None]) -> None:
    """Run ``action``; errors that the user can fix reach the caller as a sentence."""
    try:
        action()
    except RwcPwError as error:
        raise DBusError(ERROR_NAME, f"{error.message} {error.remedy}") from error

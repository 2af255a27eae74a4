"""The daemon's interface on the session bus; its bus name is also the single-instance lock."""

import asyncio
import contextlib
import logging
from typing import Protocol

from dbus_next import Message, RequestNameReply
from dbus_next.constants import MessageFlag, NameFlag

from rwc_pw.control.bus import BUS, CALL_TIMEOUT_S, DEPARTURES, SessionBus, bus_call, bus_errors, connect
from rwc_pw.control.interface import Controlled, Voice1
from rwc_pw.control.levels import LevelWatch
from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.names import BUS_NAME, OBJECT_PATH

RECONNECT_S = 0.1  # before the bus would start a second daemon for a caller
LONGEST_WITHOUT_BUS_S = 30.0  # and without PipeWire: after that, the session is over
ANNOUNCE_AGAIN_S = 0.5  # after a bus that was slow

log = logging.getLogger(__name__)


class Feeding(Controlled, Protocol):
    """A daemon that feeds RWC Voice, also while there is no bus."""

    def is_feeding(self) -> bool: ...
    def was_asked_to_give_way(self) -> bool: ...


class BusService:
    """Holds the name and answers under it; ``run`` lasts until another daemon has it or the session is over.

    The session is over if it has no bus for long while nothing is fed; without a bus, it gives way to another rwc-pw.
    """

    def __init__(self, daemon: Feeding) -> None:
        self._daemon = daemon
        self._levels = LevelWatch(self._send_levels, self._follow_caller)
        self._interface = Voice1(daemon, self._levels)
        self._bus: SessionBus | None = None
        self._postponed: asyncio.TimerHandle | None = None
        self._looks: set[asyncio.Future[None]] = set()

    def announce(self) -> None:
        """Signal that the status has changed; once for all changes if the bus is slow."""
        if self._postponed:
            return
        if self._bus and self._bus.is_congested:
            self._postponed = asyncio.get_running_loop().call_later(ANNOUNCE_AGAIN_S, self._announce_postponed)
        elif self._bus and self._bus.connected:
            try:
                self._interface.tell_changes()
            except Exception:  # the boundary to the bus: the sound goes on
                log.exception("a change could not be told")

    def _announce_postponed(self) -> None:
        self._postponed = None
        self.announce()

    async def acquire(self) -> None:
        """Connect and take the name; ``UnavailableError`` without a bus, ``RwcPwError`` if it is taken."""
        bus = await connect()
        self._bus = bus  # whoever calls is answered as soon as the name is ours
        try:
            self._interface.renew()
            bus.export(OBJECT_PATH, self._interface)
            bus.add_message_handler(self._interface.begin_call)
            bus.add_message_handler(self._note_departure)
            with bus_errors():
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    reply = await bus.request_name(BUS_NAME, NameFlag.DO_NOT_QUEUE)
            if reply is not RequestNameReply.PRIMARY_OWNER:
                raise RwcPwError("RWC Voice is already running.", "`rwc-pw status` shows what it does.")
        except BaseException:
            bus.disconnect()
            raise

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

    def _send_levels(self) -> None:
        if self._bus and self._bus.connected and not self._bus.is_congested:
            self._interface.Levels()

    def _follow_caller(self, caller: str, wanted: bool) -> None:
        """Ask the bus to tell when ``caller`` leaves it, or to do so no more."""
        if not self._bus:
            return
        member = "AddMatch" if wanted else "RemoveMatch"
        self._bus.send(bus_call(member, f"{DEPARTURES},arg0='{caller}'", flags=MessageFlag.NO_REPLY_EXPECTED))
        if wanted:
            look = asyncio.ensure_future(self._forget_if_gone(self._bus, caller))
            self._looks.add(look)  # asyncio itself keeps no task alive
            look.add_done_callback(self._looks.discard)

    async def _forget_if_gone(self, bus: SessionBus, caller: str) -> None:
        """Forget a caller that had left the bus before that could be told."""
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await bus.call(bus_call("NameHasOwner", caller))
            if answer.body == [False]:
                self._levels.watch(caller, wanted=False)

    def _note_departure(self, message: Message) -> None:
        if message.member == "NameOwnerChanged" and message.sender == BUS and not message.body[2]:
            self._levels.watch(message.body[0], wanted=False)

    async def _reacquire(self) -> None:
        self._levels.forget_all()
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

"""Talks to the daemon; only ``start`` makes the bus start it."""

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from dbus_next import DBusError, Message, MessageType, Variant
from dbus_next.constants import MessageFlag

from rwc_pw import errors
from rwc_pw.control.bus import BUS, CALL_TIMEOUT_S, DEPARTURES, bus_call, connect
from rwc_pw.control.properties import as_variants, status_of
from rwc_pw.errors import NoBusError, RwcPwError, UnavailableError
from rwc_pw.names import BUS_NAME, ERROR_PREFIX, INTERFACE, OBJECT_PATH
from rwc_pw.status import State, Status

END_TIMEOUT_S = 5.0
PROPERTIES_INTERFACE = f"{BUS}.Properties"
CHANGES = f"type='signal',interface='{PROPERTIES_INTERFACE}',member='PropertiesChanged',path='{OBJECT_PATH}'"
NOBODY_THERE = [f"{BUS}.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner", "NoReply")]
"""The last: it has ended before it answered."""
OTHER_VERSION = [f"{BUS}.Error.{name}" for name in ("UnknownInterface", "UnknownMethod", "UnknownObject")]


class Client:
    """A connection to the bus, for the duration of an ``async with``; ``NoBusError`` if there is no bus.

    Its methods raise ``UnavailableError`` if the daemon does not answer or fails.
    """

    async def __aenter__(self) -> Self:
        self._bus = await connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._bus.disconnect()

    async def status(self) -> Status:
        """The daemon's status; ``off`` if none runs."""
        answer = await self._ask("GetAll", INTERFACE, interface=PROPERTIES_INTERFACE)
        if answer is None:
            return Status()
        return status_of({name: variant.value for name, variant in answer[0].items()})

    async def start(self) -> Status:
        """Make the bus start the daemon unless it runs, and wait until RWC Voice exists or the daemon stops waiting."""
        await self._ask_bus("ReloadConfig")
        await self._ask("Settle", autostart=True)
        status = await self.status()
        if status.state is State.OFF:
            raise UnavailableError("The session bus could not start the daemon.", "Run `rwc-pw doctor`.")
        return status

    async def set(self, changes: Mapping[str, Any]) -> bool:
        """Change settings; return whether a daemon runs, which otherwise nobody has done."""
        return await self._ask("Set", as_variants(changes), signature="a{sv}") is not None

    async def reload(self) -> bool:
        """Make the daemon read its configuration again; return whether one runs."""
        return await self._ask("Reload") is not None

    async def set_bypass(self, bypass: bool) -> bool:
        """Let the real voice through, or stop doing so; return whether a daemon runs."""
        return await self._ask("SetBypass", bypass, signature="b") is not None

    async def watch(self) -> AsyncIterator[Status]:
        """The status now and after every change, until the daemon ends."""
        call = _daemon_call("GetAll", INTERFACE, interface=PROPERTIES_INTERFACE)
        told = _Told(call)
        self._bus.add_message_handler(told.note)
        await self._ask_bus("AddMatch", CHANGES)
        await self._ask_bus("AddMatch", f"{DEPARTURES},arg0='{BUS_NAME}'")
        if await self._answer(call) is None:
            yield Status()
            return
        ended = asyncio.ensure_future(self._end_of_bus())
        status = None
        try:
            while status is None or status.state is not State.OFF:
                change = asyncio.ensure_future(told.statuses.get())
                await asyncio.wait((change, ended), return_when=asyncio.FIRST_COMPLETED)
                if not change.done():
                    change.cancel()
                    raise bus_has_ended()
                if (changed := change.result()) != status:  # the settings may have changed instead
                    yield (status := changed)
        finally:
            ended.cancel()

    async def _end_of_bus(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            await self._bus.wait_for_disconnect()

    async def stop(self) -> bool:
        """End the daemon, by force if it does not answer, and wait for it; return whether one ran."""
        try:
            [pid] = await self._ask_bus("GetConnectionUnixProcessID", BUS_NAME)
        except DBusError as error:
            if error.type in NOBODY_THERE:
                return False
            raise
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            try:
                await self._end(process)
            finally:
                os.close(process)
        return True

    async def _end(self, process: int) -> None:
        try:
            await self._ask("Quit")
        except RwcPwError:  # as of another version
            signal.pidfd_send_signal(process, signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], END_TIMEOUT_S)
        if not ended:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [])

    async def _ask(self, member: str, *body: object, **details: Any) -> list[Any] | None:
        """The daemon's answer to a call that ``_daemon_call`` makes; None if none runs."""
        return await self._answer(_daemon_call(member, *body, **details))

    async def _answer(self, call: Message) -> list[Any] | None:
        try:
            return await self._call(call)
        except DBusError as error:
            if error.type in NOBODY_THERE:
                return None
            if error.type.startswith(ERROR_PREFIX):
                raise _error_of(error) from error
            if error.type in OTHER_VERSION:
                remedy = "Run `rwc-pw disable`, then `rwc-pw enable`."
                raise UnavailableError("The daemon that runs is of another version.", remedy) from error
            what, *_ = error.text.splitlines() or [error.type]
            raise UnavailableError(f"The daemon failed: {what.rstrip('.:')}.", "Run `rwc-pw doctor`.") from error

    async def _ask_bus(self, member: str, *arguments: str) -> list[Any]:
        return await self._call(bus_call(member, *arguments))

    async def _call(self, call: Message) -> list[Any]:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                reply = await self._bus.call(call)
        except TimeoutError:
            is_ours = call.destination == BUS_NAME
            who = "The daemon" if is_ours else "The session bus"
            remedy = "Run `rwc-pw disable`, then `enable`." if is_ours else "Log in again."
            raise UnavailableError(f"{who} did not answer within {CALL_TIMEOUT_S:g} s.", remedy) from None
        except (OSError, EOFError) as error:
            raise bus_has_ended() from error
        if reply.message_type is MessageType.ERROR:
            raise DBusError(reply.error_name, reply.body[0] if reply.body else reply.error_name, reply)
        return list(reply.body)


def bus_has_ended() -> NoBusError:
    """The error for a bus that was there."""
    return NoBusError("The D-Bus session bus has ended.", "Run the command again once it is back.")


def _error_of(error: DBusError) -> RwcPwError:
    """The daemon's error, as if it had been raised here."""
    kind = getattr(errors, error.type.removeprefix(ERROR_PREFIX), RwcPwError)
    message, remedy = error.reply.body
    return kind(message, remedy)


def _daemon_call(
    member: str, *body: object, interface: str = INTERFACE, signature: str = "", autostart: bool = False
) -> Message:
    return Message(
        destination=BUS_NAME,
        path=OBJECT_PATH,
        interface=interface,
        member=member,
        signature=signature or "s" * len(body),
        body=list(body),
        flags=MessageFlag.NONE if autostart else MessageFlag.NO_AUTOSTART,
    )


class _Told:
    """The daemon's statuses, in the order in which the bus tells them: first that which answers ``call``."""

    def __init__(self, call: Message) -> None:
        self.statuses: asyncio.Queue[Status] = asyncio.Queue()
        self._call = call
        self._properties: dict[str, Any] = {}

    def note(self, message: Message) -> None:
        """Take in any message of the bus."""
        if message.message_type is MessageType.METHOD_RETURN and message.reply_serial == self._call.serial:
            self._change(message.body[0])
        elif message.path == OBJECT_PATH and message.member == "PropertiesChanged" and self._properties:
            self._change(message.body[1])
        elif message.sender == BUS and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if name == BUS_NAME and not owner:
                self.statuses.put_nowait(Status())

    def _change(self, properties: Mapping[str, Variant]) -> None:
        self._properties |= {name: variant.value for name, variant in properties.items()}
        self.statuses.put_nowait(status_of(self._properties))

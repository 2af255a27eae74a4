"""Talks to the daemon; only ``start`` makes the bus start it."""

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import AsyncIterator
from typing import Any, Self

from dbus_next import DBusError, Message, MessageType
from dbus_next.constants import MessageFlag

from rwc_pw.control.bus import CALL_TIMEOUT_S, connect
from rwc_pw.errors import NoBusError, RwcPwError, UnavailableError
from rwc_pw.names import BUS_NAME, ERROR_NAME, INTERFACE, OBJECT_PATH
from rwc_pw.status import State, Status

END_TIMEOUT_S = 5.0
NOBODY_THERE = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner")


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
        answer = await self._ask("Status")
        return Status.from_json(answer[0]) if answer else Status()

    async def start(self) -> Status:
        """Make the bus start the daemon unless it runs, and wait until RWC Voice exists or the daemon stops waiting."""
        await self._ask_bus("ReloadConfig")
        answer = await self._ask("Settle", autostart=True)
        if not answer:
            raise UnavailableError("The session bus could not start the daemon.", "Run `rwc-pw doctor`.")
        return Status.from_json(answer[0])

    async def reload(self) -> bool:
        """Make the daemon read its configuration again; return whether one runs."""
        return await self._ask("Reload") is not None

    async def set_bypass(self, bypass: bool) -> bool:
        """Let the real voice through, or stop doing so; return whether a daemon runs."""
        return await self._ask("SetBypass", bypass, signature="b") is not None

    async def watch(self) -> AsyncIterator[Status]:
        """The status now and after every change, until the daemon ends."""
        changes: asyncio.Queue[Status] = asyncio.Queue()
        self._bus.add_message_handler(lambda message: _note_change(message, changes))
        for rule in (
            f"type='signal',interface='{INTERFACE}',member='StatusChanged'",
            f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{BUS_NAME}'",
        ):
            await self._ask_bus("AddMatch", rule)
        status = await self.status()
        yield status
        ended = asyncio.ensure_future(self._end_of_bus())
        try:
            while status.state is not State.OFF:
                change = asyncio.ensure_future(changes.get())
                await asyncio.wait((change, ended), return_when=asyncio.FIRST_COMPLETED)
                if not change.done():
                    change.cancel()
                    raise bus_has_ended()
                if (changed := change.result()) != status:  # measurements are told regularly
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
        with contextlib.suppress(RwcPwError):
            await self._ask("Quit")
        ended, _, _ = select.select([process], [], [], END_TIMEOUT_S)
        if not ended:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [])

    async def _ask(self, member: str, *body: object, signature: str = "", autostart: bool = False) -> list[Any] | None:
        """The daemon's answer; None if none runs."""
        flags = MessageFlag.NONE if autostart else MessageFlag.NO_AUTOSTART
        try:
            return await self._call(BUS_NAME, OBJECT_PATH, INTERFACE, member, *body, signature=signature, flags=flags)
        except DBusError as error:
            if error.type in NOBODY_THERE:
                return None
            if error.type == ERROR_NAME:
                raise RwcPwError(error.text) from error
            what, *_ = error.text.splitlines() or [error.type]
            raise UnavailableError(f"The daemon failed: {what.rstrip('.:')}.", "Run `rwc-pw doctor`.") from error

    async def _ask_bus(self, member: str, *body: object) -> list[Any]:
        bus = "org.freedesktop.DBus"
        return await self._call(bus, "/org/freedesktop/DBus", bus, member, *body, signature="s" * len(body))

    async def _call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        *body: object,
        signature: str = "",
        flags: MessageFlag = MessageFlag.NONE,
    ) -> list[Any]:
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
            flags=flags,
        )
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                reply = await self._bus.call(message)
        except TimeoutError:
            is_ours = destination == BUS_NAME
            who = "The daemon" if is_ours else "The session bus"
            remedy = "Run `rwc-pw disable`, then `enable`." if is_ours else "Log in again."
            raise UnavailableError(f"{who} did not answer within {CALL_TIMEOUT_S:g} s.", remedy) from None
        except (OSError, EOFError) as error:
            raise bus_has_ended() from error
        if reply.message_type is MessageType.ERROR:
            raise DBusError(reply.error_name, reply.body[0] if reply.body else reply.error_name)
        return list(reply.body)


def bus_has_ended() -> NoBusError:
    """The error for a bus that was there."""
    return NoBusError("The D-Bus session bus has ended.", "Run the command again once it is back.")


def _note_change(message: Message, changes: "asyncio.Queue[Status]") -> None:
    if message.member == "StatusChanged":
        changes.put_nowait(Status.from_json(message.body[0]))
    elif message.member == "NameOwnerChanged" and message.body[0] == BUS_NAME and not message.body[2]:
        changes.put_nowait(Status())

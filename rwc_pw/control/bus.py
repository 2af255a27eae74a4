"""The session bus, and what to say when there is none."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any, Self
from urllib.parse import quote

from dbus_next import AuthError, DBusError, Message
from dbus_next.aio import MessageBus
from dbus_next.constants import MessageFlag

from rwc_pw.errors import NoBusError, UnavailableError

CALL_TIMEOUT_S = 10.0
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
DEPARTURES = f"type='signal',sender='{BUS}',member='NameOwnerChanged'"
"""A match rule for names on the bus that come or go."""


def bus_call(member: str, *arguments: str, flags: MessageFlag = MessageFlag.NONE) -> Message:
    """A call of the bus itself."""
    return Message(
        destination=BUS,
        path=BUS_PATH,
        interface=BUS,
        member=member,
        signature="s" * len(arguments),
        body=list(arguments),
        flags=flags,
    )


class SessionBus(MessageBus):
    """A connection that lasts while the bus is slow, and leaves the bus at once when it ends.

    dbus-next alone gives a connection up when the bus takes no more for now, without closing its socket: the bus would
    still take it for the owner of its names.
    """

    def __init__(self, address: str | None) -> None:
        try:
            super().__init__(bus_address=address)
        except BaseException:
            self._close()
            raise
        self._writer.sock = _PatientSocket(self._sock)

    @property
    def is_congested(self) -> bool:
        """Return whether messages wait for the bus to take them."""
        return not self._writer.messages.empty()

    def send(self, msg: Message) -> "asyncio.Future[None]":
        """Send a message; do nothing once the connection has ended, whose descriptor may be another's by now."""
        if not self._disconnected:
            sent: asyncio.Future[None] = super().send(msg)
            return sent
        nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        nothing.set_result(None)
        return nothing

    def _send_reply(self, msg: Message) -> "_Reply":
        return _Reply(super()._send_reply(msg))

    def disconnect(self) -> None:
        """Leave the bus at once, if that has not happened yet."""
        self._user_disconnect = True
        self._finalize(None)

    def _finalize(self, err: Exception | None = None) -> None:
        if not self._disconnected:
            super()._finalize(err)
            self._close()

    def _close(self) -> None:
        for name in ("_stream", "_sock"):
            if end := getattr(self, name, None):  # not for an address that it does not understand
                end.close()


class _Reply:
    """A reply to a call; an error that is meant for the caller ends there, and is not logged as one of ours."""

    def __init__(self, reply: Any) -> None:
        self._reply = reply
        self.send_error = reply.send_error

    def __enter__(self) -> Self:
        return self

    def __call__(self, message: Message) -> None:
        self._reply(message)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        self._reply.__exit__(kind, error, trace)
        return isinstance(error, DBusError)


class _PatientSocket:
    """Takes none of the bytes where the bus takes none, which makes dbus-next wait until it does."""

    def __init__(self, socket: socket) -> None:
        self._socket = socket

    def send(self, data: memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0


@contextmanager
def bus_errors() -> Iterator[None]:
    """Turn what a connection fails with into ``NoBusError``, or ``UnavailableError`` if the bus stands still."""
    try:
        yield
    except TimeoutError as error:
        raise UnavailableError(
            f"The session bus did not answer within {CALL_TIMEOUT_S:g} s.", "Log in again."
        ) from error
    # a bad address is a ValueError; where there is no home, dbus-next looks for it all the same
    except (OSError, EOFError, ValueError, KeyError, AuthError, DBusError) as error:
        raise NoBusError(
            "There is no D-Bus session bus.",
            "Log in to a desktop session, or use `rwc-pw real-time`, which needs none.",
        ) from error


async def connect() -> SessionBus:
    """A connection to the session bus; ``NoBusError`` if there is none, ``UnavailableError`` if it stands still."""
    with bus_errors():
        bus = SessionBus(_address())
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await bus.connect()
        except BaseException:
            bus.disconnect()
            raise
    return bus


def _address() -> str | None:
    """The bus of the user's session where the environment names none, as libdbus and systemd find it."""
    bus = Path(os.environ.get("XDG_RUNTIME_DIR", ""), "bus")
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS") or not (bus.is_absolute() and bus.is_socket()):
        return None
    return f"unix:path={quote(str(bus)).replace('~', '%7E')}"  # the bus's library takes no ~

"""The session bus, and what to say when there is none."""

import os
from pathlib import Path
from urllib.parse import quote

from dbus_next import AuthError, DBusError
from dbus_next.aio import MessageBus

from rwc_pw.errors import NoBusError


async def connect() -> MessageBus:
    """A connection to the session bus; ``NoBusError`` if there is none."""
    try:
        return await MessageBus(bus_address=_address()).connect()
    # a bad address is a ValueError; where there is no home, dbus-next looks for it all the same
    except (OSError, EOFError, ValueError, KeyError, AuthError, DBusError) as error:
        raise NoBusError(
            "There is no D-Bus session bus.",
            "Log in to a desktop session, or use `rwc-pw real-time`, which needs none.",
        ) from error


def _address() -> str | None:
    """The bus of the user's session where the environment names none, as libdbus and systemd find it."""
    bus = Path(os.environ.get("XDG_RUNTIME_DIR", ""), "bus")
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS") or not (bus.is_absolute() and bus.is_socket()):
        return None
    return f"unix:path={quote(str(bus)).replace('~', '%7E')}"  # the bus's library takes no ~

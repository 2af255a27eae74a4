"""The session bus, and what to say when there is none."""

from dbus_next import AuthError, DBusError
from dbus_next.aio import MessageBus

from rwc_pw.errors import NoBusError


async def connect() -> MessageBus:
    """A connection to the session bus; ``NoBusError`` where there is none."""
    try:
        return await MessageBus().connect()
    except (OSError, EOFError, ValueError, AuthError, DBusError) as error:  # a bad address is a ValueError
        raise NoBusError(
            "There is no D-Bus session bus.",
            "Log in to a desktop session, or use `rwc-pw real-time`, which needs none.",
        ) from error

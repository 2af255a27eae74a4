"""The interface of the daemon on the bus, which documents itself in its introspection."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from xml.etree.ElementTree import Element, SubElement

from dbus_next import DBusError, Message, MessageType, PropertyAccess, Variant
from dbus_next.introspection import Interface
from dbus_next.service import ServiceInterface, dbus_property, method, signal

from rwc_pw.control.levels import LevelWatch
from rwc_pw.control.properties import PROPERTIES, as_variants, carried, properties_of
from rwc_pw.errors import RwcPwError
from rwc_pw.names import ERROR_PREFIX, INTERFACE
from rwc_pw.status import Status

DOC_STRING = "org.gtk.GDBus.DocString"
DOCUMENTATION = {
    **{name: found.documentation for name, found in PROPERTIES.items()},
    "Settings": "Every setting, by its key in config.toml.",
}

Values = Mapping[str, Any]
T = TypeVar("T")


class Controlled(Protocol):
    """Requests that the bus passes on to the daemon."""

    def status(self) -> Status: ...
    def settings(self) -> Values: ...
    async def settle(self) -> None: ...
    async def set(self, changes: Values) -> None: ...
    async def voices(self) -> Sequence[Values]: ...
    async def devices(self) -> Sequence[Values]: ...
    async def mute(self, muted: bool) -> None: ...
    def reload(self) -> None: ...
    def set_bypass(self, bypass: bool) -> None: ...
    def take_levels(self) -> tuple[float, float]: ...
    def quit(self) -> None: ...


class Refusal(DBusError):
    """An error that the user can fix, with its remedy as the second argument."""

    def __init__(self, error: RwcPwError) -> None:
        super().__init__(f"{ERROR_PREFIX}{type(error).__name__}", error.message)
        self._remedy = error.remedy

    def _as_message(self, call: Message) -> Message:
        return Message(
            message_type=MessageType.ERROR,
            destination=call.sender,
            reply_serial=call.serial,
            error_name=self.type,
            signature="ss",
            body=[carried(self.text), carried(self._remedy)],
        )


def exported(takes: str = "", returns: str = "") -> Callable[[Callable[..., Any]], Any]:
    """Make a method of ``Voice1`` one on the bus, with the types of its argument and of its answer there."""

    def export(function: Callable[..., Any]) -> Any:
        arguments = [name for name in function.__annotations__ if name != "return"]
        function.__annotations__ = dict.fromkeys(arguments, takes) | ({"return": returns} if returns else {})
        return method()(function)

    return export


class Voice1(ServiceInterface):
    """RWC Voice while it is on.

    The status is in properties, with PropertiesChanged. An error whose name begins with io.github.rwcpw.Voice.Error has
    two arguments: the message, and what to do about it.
    """

    def __init__(self, daemon: Controlled, levels: LevelWatch) -> None:
        super().__init__(INTERFACE)
        self._daemon = daemon
        self._levels = levels
        self._caller = ""
        self._snapshot: dict[str, Any] | None = None
        self._told: dict[str, Any] = {}
        self._read_since: set[str] = set()  # what callers have read that was not what had been told

    def begin_call(self, message: Message) -> None:
        """Note who sends the next call, which dbus-next does not tell, and let all that it reads be of one moment."""
        self._caller = message.sender or ""
        self.renew()

    def renew(self) -> None:
        """Let what is read next be of now."""
        self._snapshot = None

    @property
    def snapshot(self) -> dict[str, Any]:
        """The value of every property in the call that is being answered."""
        if self._snapshot is None:
            self._snapshot = self._properties()
            self._read_since |= self._untold(self._snapshot)
        return self._snapshot

    def _properties(self) -> dict[str, Any]:
        return {**properties_of(self._daemon.status()), "Settings": as_variants(self._daemon.settings())}

    def introspect(self) -> Interface:
        """The interface with its documentation, as GLib's tools read it."""
        found = super().introspect()
        return _Documented(found.name, found.methods, found.signals, found.properties)

    def tell_changes(self) -> None:
        """Signal every property that has changed, since it was told or since a caller has read it."""
        now = self._properties()
        changed = self._untold(now) | self._read_since
        self._told, self._read_since = now, set()
        if changed:
            self.emit_properties_changed({name: now[name] for name in changed})

    def _untold(self, now: dict[str, Any]) -> set[str]:
        return {name for name, value in now.items() if self._told.get(name) != value}

    @exported()
    async def Settle(self) -> None:
        """Return once RWC Voice is ready, or after three seconds; State and Reason then tell what it waits for."""
        await self._daemon.settle()

    @exported(takes="s")
    async def Use(self, voice: str) -> None:
        """Speak in another voice from now on: one that Voices names."""
        await _or_refusal(self._daemon.set({"voice": voice}))

    @exported(takes="a{sv}")
    async def Set(self, changes: dict[str, Variant]) -> None:
        """Change settings, while people listen and in config.toml: all, or none if one of them does not fit."""
        await _or_refusal(self._daemon.set({key: value.value for key, value in changes.items()}))

    @exported(returns="aa{sv}")
    async def Voices(self) -> list[dict[str, Variant]]:
        """The voices, each with name, kind (built in, or RVC) and description."""
        return [as_variants(voice) for voice in await _or_refusal(self._daemon.voices())]

    @exported(returns="aa{sv}")
    async def Devices(self) -> list[dict[str, Variant]]:
        """The microphones, each with name, description, is_default, is_monitor, volume_percent, muted and channels."""
        return [as_variants(device) for device in await _or_refusal(self._daemon.devices())]

    @exported(takes="b")
    def SetBypass(self, bypass: bool) -> None:
        """Let the real voice out, or end that; forgotten at every start."""
        self._daemon.set_bypass(bypass)

    @exported(takes="b")
    async def SetMute(self, muted: bool) -> None:
        """Mute RWC Voice for every app, as a mixer would."""
        await _or_refusal(self._daemon.mute(muted))

    @exported(takes="b")
    def WatchLevels(self, wanted: bool) -> None:
        """Send Levels while the caller wants them, until it leaves the bus."""
        self._levels.watch(self._caller, wanted)

    @signal()
    def Levels(self) -> "dd":  # type: ignore[name-defined]  # noqa: F821
        """The loudest sample of the microphone and that of RWC Voice since the last signal, 0 to 1; ten a second."""
        return list(self._daemon.take_levels())

    @exported()
    def Reload(self) -> None:
        """Read config.toml again."""
        try:
            self._daemon.reload()
        except RwcPwError as error:
            raise Refusal(error) from error

    @exported()
    def Quit(self) -> None:
        """End the daemon; RWC Voice is silent from then on."""
        self._daemon.quit()


def _export_property(name: str, kind: str) -> None:
    """Make it a read-only property of ``Voice1``."""

    def value(interface: Voice1) -> Any:
        return interface.snapshot[name]

    value.__name__ = name  # by which dbus-next finds it again
    value.__annotations__["return"] = kind
    setattr(Voice1, name, dbus_property(PropertyAccess.READ)(value))


for _name, _property in PROPERTIES.items():
    _export_property(_name, _property.signature)
_export_property("Settings", "a{sv}")


class _Documented(Interface):
    """An interface whose XML has the docstrings of ``Voice1``."""

    def to_xml(self) -> Element:
        found: Element = super().to_xml()
        for member in found:
            name = member.get("name", "")
            told = DOCUMENTATION.get(name) or getattr(Voice1, name).__doc__
            SubElement(member, "annotation", name=DOC_STRING, value=told)
        SubElement(found, "annotation", name=DOC_STRING, value=" ".join((Voice1.__doc__ or "").split()))
        return found


async def _or_refusal(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except RwcPwError as error:
        raise Refusal(error) from error

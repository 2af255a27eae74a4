"""The status as properties on the bus, and back."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from dbus_next import Variant

from rwc_pw.status import State, Status

NO_LATENCY_MS = -1.0
"""D-Bus has no None."""


SIGNATURES = {str: "s", bool: "b", int: "x", float: "d"}
"""D-Bus's types for the values of settings."""


def carried(text: str) -> str:
    """The text as D-Bus can carry it: bytes of a path that are not UTF-8, and NUL, are written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


class Property(NamedTuple):
    """A field of the status on the bus."""

    signature: str
    documentation: str


PROPERTIES = {
    "State": Property("s", "armed, running or degraded."),
    "Reason": Property("s", "Why silence replaces the voice, as a clause without a full stop; empty if it does not."),
    "Remedy": Property("s", "What to do about it, or else about what is turned down."),
    "Voice": Property("s", "The voice that speaks; empty before one can."),
    "Loading": Property("s", "The voice that will speak once it is loaded; empty if none is being loaded."),
    "InputDevice": Property("s", "The node name of the microphone in use; empty if there is none."),
    "InputChannel": Property("s", "Its channel in use, from 1, or mix; empty if it has one, or none is chosen yet."),
    "InputChannels": Property("i", "The number of its channels."),
    "Listeners": Property("as", "The apps that record RWC Voice."),
    "LatencyMs": Property("d", "Milliseconds from microphone to app, measured; -1 while no sound flows."),
    "DroppedMs": Property("d", "Milliseconds of sound that were discarded since the start."),
    "LateMs": Property("d", "Milliseconds of sound that came too late since the start, and were replaced by silence."),
    "Bypass": Property("b", "True while the real voice gets out."),
    "Muted": Property("b", "True while RWC Voice is muted."),
    "TurnedDown": Property("as", "Each volume below 100 % between the microphone and the apps, as a clause."),
}


def properties_of(status: Status) -> dict[str, Any]:
    """Every property's value."""
    fields = asdict(status)
    values = {name: fields[_field(name)] for name in PROPERTIES}
    latency_ms = status.latency_ms
    return {
        **{name: _carried(value) for name, value in values.items()},
        "State": str(status.state),
        "LatencyMs": NO_LATENCY_MS if latency_ms is None else latency_ms,
    }


def status_of(properties: Mapping[str, Any]) -> Status:
    """The status that has these properties; others, of a newer daemon, are left out."""
    fields: dict[str, Any] = {_field(name): value for name, value in properties.items() if name in PROPERTIES}
    fields |= {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    fields["state"] = State(fields["state"])
    if fields["latency_ms"] < 0:
        fields["latency_ms"] = None
    return Status(**fields)


def _carried(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(map(carried, value))
    return carried(value) if isinstance(value, str) else value


def as_variants(values: Mapping[str, Any]) -> dict[str, Variant]:
    """The values with their D-Bus types."""
    return {key: Variant(SIGNATURES[type(value)], _carried(value)) for key, value in values.items()}


def _field(name: str) -> str:
    """The field of ``Status`` that a property stands for: input_device for InputDevice."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

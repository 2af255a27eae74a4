"""The status of RWC Voice, for people and programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Self


class State(StrEnum):
    OFF = "off"
    """No daemon runs."""
    ARMED = "armed"
    """Ready; nobody listens, or those who do pause, so nothing flows."""
    RUNNING = "running"
    """Converted sound flows to those who listen."""
    DEGRADED = "degraded"
    """Silence replaces the voice, wholly or in part; the reason says why."""


@dataclass(frozen=True)
class Status:
    """A snapshot; lost sound is counted from the daemon's start."""

    state: State = State.OFF
    reason: str = ""
    """The reason why it is degraded, or off: a clause without a full stop."""
    remedy: str = ""
    """The remedy, if it can be fixed, or else that of what is turned down first."""
    voice: str = ""
    """The voice that speaks; empty before one can."""
    loading: str = ""
    """The voice that will speak once it is loaded."""
    input_device: str = ""
    input_channel: str = ""
    """The microphone's channel that is used, from 1, or ``mix``; empty if it has only one, or none is chosen yet."""
    input_channels: int = 0
    """Number of the microphone's channels."""
    listeners: tuple[str, ...] = ()
    latency_ms: float | None = None
    """Microphone to app, as measured; None while no sound flows."""
    dropped_ms: float = 0.0
    late_ms: float = 0.0
    bypass: bool = False
    muted: bool = False
    turned_down: tuple[str, ...] = ()
    """Each volume below 100 % between the microphone and the apps, as a clause."""

    def heard_by(self, listeners: Sequence[str], *, stays: bool) -> Self:
        """This status, off, where apps listen to the RWC Voice that is left: it ``stays``, or goes after them."""
        if not listeners:
            return self
        silence = f"silent for {enumeration(listeners)}" if stays else until_they_leave(listeners)
        return replace(
            self,
            reason="; ".join(filter(None, (silence, self.reason))),
            remedy=self.remedy or ("Run `rwc-pw enable`." if stays else ""),
            listeners=tuple(listeners),
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("listeners", "turned_down")}
        return cls(**{**values, **lists, "state": State(values["state"])})


def until_they_leave(listeners: Sequence[str]) -> str:
    """Until when RWC Voice stays that is switched off, as a clause."""
    return f"silent until {enumeration(listeners)} {'leaves' if len(listeners) == 1 else 'leave'}"


def enumeration(names: Sequence[str]) -> str:
    """Some names, at least one, as in a sentence."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _microphone(status: Status) -> str:
    if not status.input_device or status.input_channels < 2:
        return status.input_device or "none"
    if status.input_channel.isdigit():
        return f"{status.input_device}, channel {status.input_channel} of {status.input_channels}"
    mixed = "mixed" if status.input_channel else "none chosen yet"
    return f"{status.input_device}, {status.input_channels} channels, {mixed}"


def describe(status: Status) -> list[tuple[str, str]]:
    """The status as lines for people: label and value."""
    lines = [("RWC Voice", f"{status.state}: {status.reason}" if status.reason else str(status.state))]
    if status.remedy:
        lines.append(("Remedy", status.remedy))
    if status.state is State.OFF:
        return lines
    unmeasured = f"not measured, {'no sound flows' if status.listeners else 'nobody listens'}"
    latency = unmeasured if status.latency_ms is None else f"{status.latency_ms:g} ms, measured"
    return [
        *lines,
        ("Voice", "your own, unconverted (bypass)" if status.bypass else status.voice or "none yet"),
        *([("Loading", status.loading)] if status.loading else []),
        ("Microphone", _microphone(status)),
        ("Listening", ", ".join(status.listeners) or "nobody"),
        ("Latency", latency),
        ("Lost", f"{status.dropped_ms:g} ms dropped, {status.late_ms:g} ms late"),
        *([("Muted", "yes")] if status.muted else []),
        *([("Turned down", enumeration(status.turned_down))] if status.turned_down else []),
    ]

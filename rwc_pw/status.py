"""What RWC Voice is doing, for people and for programs."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self


class State(StrEnum):
    OFF = "off"
    """No daemon runs."""
    ARMED = "armed"
    """Ready; nobody listens, so nothing runs."""
    RUNNING = "running"
    DEGRADED = "degraded"
    """Silence stands for the voice; the reason says why."""


@dataclass(frozen=True)
class Status:
    """One moment of it; lengths of lost sound count from the daemon's start."""

    state: State = State.OFF
    reason: str = ""
    voice: str = ""
    """The one that speaks."""
    loading: str = ""
    """The one that will speak when it is loaded."""
    input_device: str = ""
    listeners: tuple[str, ...] = ()
    latency_ms: float | None = None
    """Microphone to app, as measured; None while no sound flows."""
    dropped_ms: float = 0.0
    late_ms: float = 0.0
    bypass: bool = False
    muted: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        return cls(**{**values, "state": State(values["state"]), "listeners": tuple(values["listeners"])})


def describe(status: Status) -> list[tuple[str, str]]:
    """The status as lines for people: what, and how it is."""
    lines = [("RWC Voice", f"{status.state}: {status.reason}" if status.reason else str(status.state))]
    if status.state is State.OFF:
        return lines
    latency = "not measured, nobody listens" if status.latency_ms is None else f"{status.latency_ms:g} ms, measured"
    return [
        *lines,
        ("Voice", "your own, unconverted (bypass)" if status.bypass else status.voice),
        *([("Loading", status.loading)] if status.loading else []),
        ("Microphone", status.input_device or "none"),
        ("Listening", ", ".join(status.listeners) or "nobody"),
        ("Latency", latency),
        ("Lost", f"{status.dropped_ms:g} ms dropped, {status.late_ms:g} ms late"),
        *([("Muted", "yes")] if status.muted else []),
    ]

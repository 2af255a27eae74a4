"""The moment at which our idle streams are suspended."""

from collections.abc import Sequence

from rwc_pw.pipewire.graph import Node

SUSPEND_AFTER_S = 5.0  # as WirePlumber does for devices; at once would hit apps that stop and start within 10 ms


class IdleWatch:
    """Finds streams that have been idle for a while: the session manager suspends devices, but not streams.

    PipeWire's own ``node.suspend-on-idle`` would not do: if an app starts, stops and starts a stream at once
    (Chromium does), it is suspended while its link is negotiated, and carries silence from then on (0.3.65).
    """

    def __init__(self) -> None:
        self._since_s: float | None = None

    def begin(self) -> None:
        """Forget the streams so far."""
        self._since_s = None

    def observe(self, streams: Sequence[Node], now_s: float) -> list[Node]:
        """The streams among these to suspend at ``now_s``."""
        idle = [node for node in streams if node.state == "idle"]
        if not idle:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        elif now_s >= self._since_s + SUSPEND_AFTER_S:
            return idle
        return []

    @property
    def next_look_s(self) -> float | None:
        """The moment at which to observe again; None if nothing is idle."""
        return None if self._since_s is None else self._since_s + SUSPEND_AFTER_S

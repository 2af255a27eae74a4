"""A watch over the flow of sound while somebody listens, from what is counted on its way; pure."""

from dataclasses import dataclass

from rwc_pw.errors import Fault

LOOK_S = 0.1  # between two observations
STANDSTILL_S = 1.0  # no block of sound lasts as long
LONGEST_STANDSTILL_S = 8.0  # of streams made anew in vain: on a busy machine they take longer to begin
FIRST_MOVES = 3  # fewer are what a player that stands still has read ahead

NOTHING_CAPTURED = Fault(
    "nothing comes from the microphone",
    "If recording it anew does not help, plug it in again, or choose another: `rwc-pw devices` lists them.",
)
NOTHING_TAKEN = Fault(
    "the converted voice is not played into RWC Voice",
    "If playing it anew does not help, restart PipeWire: `systemctl --user restart pipewire`.",
)
NOTHING_MOVES = Fault("PipeWire moves no sound", "If it stays so, restart it: `systemctl --user restart pipewire`.")


@dataclass(frozen=True)
class Flow:
    """Samples carried since the streams began, and an app that gets none."""

    captured: int
    taken: int
    """Samples that the player has read."""
    unserved: str = ""
    """An app that runs while its link from RWC Voice does not; empty if there is none."""


class FlowWatch:
    """Judges observations made every ``LOOK_S``; what stands still is told until sound flows or nobody listens."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        """The part that stands still; None if none does."""
        self._patience_s = STANDSTILL_S
        self.begin()

    @property
    def flows(self) -> bool:
        """Return whether sound has begun to flow, and has not stood still since."""
        return not self.fault and self._moves >= FIRST_MOVES

    def rest(self) -> None:
        """Nobody listens, so nothing needs to flow."""
        self.fault = None
        self._patience_s = STANDSTILL_S
        self.begin()

    def begin(self) -> None:
        """The streams are new; what stood still before is told until sound flows."""
        self._moves = 0  # observations in which all had moved
        self._last: Flow | None = None
        self._last_s = 0.0
        self._captured_s = self._taken_s = self._unserved_s = 0.0  # for how long there has been nothing new

    def observe(self, flow: Flow, now_s: float) -> bool:
        """Take an observation; True if the streams are to be made anew, because they stand still."""
        last, self._last = self._last or flow, flow
        # we ourselves may have stood still
        elapsed_s, self._last_s = min(now_s - self._last_s, 2 * LOOK_S), now_s
        if last is flow:
            return False
        self._captured_s = 0.0 if flow.captured != last.captured else self._captured_s + elapsed_s
        self._taken_s = 0.0 if flow.taken != last.taken else self._taken_s + elapsed_s
        self._unserved_s = self._unserved_s + elapsed_s if flow.unserved else 0.0
        standing_s = max(self._captured_s, self._taken_s)
        if standing_s >= self._patience_s:
            self.fault = self._standing()
            self._patience_s = min(2 * self._patience_s, LONGEST_STANDSTILL_S)
            return True
        self._moves += standing_s == 0
        if self._moves >= FIRST_MOVES:
            self._patience_s = STANDSTILL_S
            self.fault = _unserved(flow.unserved) if self._unserved_s >= STANDSTILL_S else None
        return False

    def _standing(self) -> Fault:
        if self._captured_s < self._patience_s:
            return NOTHING_TAKEN
        return NOTHING_CAPTURED if self._taken_s < self._patience_s else NOTHING_MOVES


def _unserved(app: str) -> Fault:
    return Fault(f"PipeWire gives {app} nothing of RWC Voice", "Choose RWC Voice there again.")

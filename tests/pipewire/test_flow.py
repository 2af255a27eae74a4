from collections.abc import Callable
from itertools import count

import pytest

from rwc_pw.pipewire.flow import (
    LONGEST_STANDSTILL_S,
    LOOK_S,
    NOTHING_CAPTURED,
    NOTHING_MOVES,
    NOTHING_TAKEN,
    Flow,
    FlowWatch,
)

ALL = (True, True)
CAPTURED = (True, False)
TAKEN = (False, True)
NONE = (False, False)


class Watched:
    """A watch that observes how much is captured and taken, every ``LOOK_S``."""

    def __init__(self) -> None:
        self.watch = FlowWatch()
        self._looks = count()
        self._captured = self._taken = 0

    def looks(self, moving: tuple[bool, bool], seconds: float, unserved: str = "") -> int | None:
        """After how many observations the streams are to be made anew; None if never in this time."""
        for n in range(1, round(seconds / LOOK_S) + 1):
            self._captured += 256 * moving[0]
            self._taken += 256 * moving[1]
            if self.watch.observe(Flow(self._captured, self._taken, unserved), next(self._looks) * LOOK_S):
                return n
        return None


def test_sound_flows_once_all_has_moved_for_a_while():
    it = Watched()
    it.looks(NONE, 0.5)
    it.looks(ALL, 0.2)
    assert not it.watch.flows
    it.looks(ALL, 0.2)
    assert it.watch.flows
    it.looks(NONE, 0.9)  # a block of any length
    assert it.watch.flows
    it.watch.begin()
    assert not it.watch.flows


@pytest.mark.parametrize(
    ("moving", "fault"), [(CAPTURED, NOTHING_TAKEN), (TAKEN, NOTHING_CAPTURED), (NONE, NOTHING_MOVES)]
)
def test_what_stands_still_for_a_second_is_made_anew_and_told_until_all_moves(moving, fault):
    it = Watched()
    it.looks(ALL, 1)
    assert it.looks(moving, 9) == 10
    assert (it.watch.fault, it.watch.flows) == (fault, False)
    it.watch.begin()
    it.looks(ALL, 0.2)
    assert it.watch.fault == fault
    it.looks(ALL, 0.3)
    assert (it.watch.fault, it.watch.flows) == (None, True)


def test_what_is_made_anew_in_vain_is_given_more_and_more_time():
    it = Watched()
    waits = []
    for _ in range(6):
        waits.append(it.looks(CAPTURED, 60))
        it.watch.begin()
    most = round(LONGEST_STANDSTILL_S / LOOK_S)
    assert waits == [11, 21, 41, most + 1, most + 1, most + 1]  # the first has nothing to compare with
    it.looks(ALL, 1)
    assert it.looks(CAPTURED, 60) == 10


@pytest.mark.parametrize("end", [FlowWatch.rest, FlowWatch.begin])
def test_only_who_stops_listening_is_told_no_more(end: Callable[[FlowWatch], None]):
    it = Watched()
    it.looks(NONE, 2)
    end(it.watch)
    assert (it.watch.fault is None) is (end is FlowWatch.rest)


def test_time_in_which_nobody_looked_does_not_count():
    watch = FlowWatch()
    assert not any(watch.observe(Flow(1, 1), now_s) for now_s in (0.0, 100.0, 200.0, 300.0))


def test_an_app_without_sound_is_told_but_takes_nobody_elses():
    it = Watched()
    it.looks(ALL, 1)
    assert it.looks(ALL, 5, unserved="Zoom") is None
    assert it.watch.fault is not None
    assert "Zoom" in it.watch.fault.reason
    it.looks(ALL, 0.1)
    assert it.watch.flows

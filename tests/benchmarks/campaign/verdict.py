"""Which promises held, from what apps heard, what the status told, and when faults befell the session."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from tests.benchmarks.campaign.real_voice import HOP_SAMPLES, PERIOD_SAMPLES, find, is_loud
from tests.benchmarks.campaign.schedule import Fault

CELL_S = 0.01
SHORTEST_CELLS = 10  # what lasts less is a crackle, not a voice, or not a silence
ALL_IS_WELL = ("running", "armed")

Interval = tuple[float, float]
Reals = NDArray[np.float64]
Cells = NDArray[np.bool_]


@dataclass(frozen=True)
class Heard:
    """What one app heard, from when it opened until it was closed."""

    opened_s: float
    closed_s: float
    sound: Samples
    arrivals: Sequence[tuple[float, int]]
    """When something came, and how many samples had come by then."""

    def times_s(self, samples: NDArray[np.int64]) -> Reals:
        """When each of these samples came; those that came together came one after the other."""
        came_s, counts = np.array(self.arrivals, float).reshape(-1, 2).T
        pieces = np.searchsorted(counts, samples)
        return came_s[pieces] - (counts[pieces] - samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Done:
    """A fault that has befallen the session."""

    fault: Fault
    begin_s: float
    end_s: float
    """When all but rwc-pw was as before."""


@dataclass(frozen=True)
class Spell:
    """For how long something was so, and when that began."""

    seconds: float
    when: str

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.when}"


@dataclass(frozen=True)
class Record:
    """All that was noted of a session; times in seconds of one clock."""

    apps: list[Heard]
    told: list[tuple[float, dict[str, Any]]]
    """When a status was told, and what; empty while nobody tells anything."""
    done: list[Done]
    unspoken: list[Interval]
    """When nobody could be heard by a microphone."""
    let_through: list[Interval]
    """When the real voice was asked for, or put through by somebody else."""


class Verdict:
    """What the record of a session shows."""

    def __init__(self, record: Record, lost: str = "") -> None:
        """``lost`` says why the session could not be restored after a fault; what is silent then counts for nothing."""
        self.lost = lost
        self.done = record.done
        self._record = record
        self._begin_s = min(app.opened_s for app in record.apps)
        self._end_s = max(app.closed_s for app in record.apps)
        self.real_voice: list[Spell] = []
        """Where the real voice was heard that nobody had asked for."""
        self.let_through_s = 0.0
        """How long it was heard because somebody had."""
        self.recoveries: list[Spell] = []
        """How long apps heard silence after each fault, or else with all as it should be."""
        self.lies: list[Spell] = []
        """How long apps heard silence while the status told that all was well."""
        self.broken: list[str] = []
        """Every promise that did not hold, in words."""
        spoken = ~self._cells(record.unspoken)
        whole = spoken & ~self._cells((done.begin_s, done.end_s) for done in record.done)
        well = spoken & self._cells(self._told_well())
        for app in record.apps:
            silent = self._silent(app)
            self.recoveries += self._spells(silent & whole)
            self.lies += self._spells(silent & well)
            self._find_real_voice(app)

    def __str__(self) -> str:
        return (
            f"silent ≤ {_longest_s(self.recoveries):.2f} s, told as well ≤ {_longest_s(self.lies):.2f} s, "
            f"real voice {len(self.real_voice)} times, asked for {self.let_through_s:.2f} s"
        )

    def judge(self, longest_s: float) -> None:
        """Note what is broken, where nobody is to hear silence for longer than so."""
        self.broken += [f"the real voice for {spell}" for spell in self.real_voice]
        if self.lost:
            return
        self.broken += [f"silence for {spell}" for spell in self.recoveries if spell.seconds > longest_s]
        self.broken += [f"told as well, but silent for {spell}" for spell in self.lies if spell.seconds > longest_s]

    def when(self, moment_s: float) -> str:
        """A moment, by the fault before it."""
        before = [done for done in self._record.done if done.begin_s <= moment_s]
        if not before:
            return f"{moment_s - self._begin_s:.2f} s after the begin"
        return f"{moment_s - before[-1].begin_s:.2f} s after the begin of: {before[-1].fault}"

    def _find_real_voice(self, app: Heard) -> None:
        found = np.flatnonzero(find(app.sound))
        times_s = app.times_s(found * HOP_SAMPLES + PERIOD_SAMPLES)
        for begin_s, end_s in self._record.unspoken:  # what a paused stream has kept
            times_s[(times_s >= begin_s) & (times_s <= end_s)] = begin_s
        is_asked = np.zeros(len(found), bool)
        for begin_s, end_s in self._record.let_through:
            is_asked |= (times_s >= begin_s) & (times_s <= end_s)
        hop_s = HOP_SAMPLES / SAMPLE_RATE_HZ
        self.let_through_s += np.count_nonzero(is_asked) * hop_s
        unasked_s = times_s[~is_asked]
        for piece_s in np.split(unasked_s, np.flatnonzero(np.diff(unasked_s) > 1) + 1):
            if len(piece_s):
                self.real_voice.append(Spell(len(piece_s) * hop_s, self.when(piece_s[0])))

    def _silent(self, app: Heard) -> Cells:
        """Where the app is open and hears no voice."""
        loud = np.flatnonzero(is_loud(app.sound))
        voiced = self._cells(())
        voiced[self._cell(app.times_s((loud + 1) * PERIOD_SAMPLES))] = True
        for begin, end in _runs(~voiced):
            voiced[begin:end] |= end - begin < SHORTEST_CELLS  # sound comes in pieces
        for begin, end in _runs(voiced):
            voiced[begin:end] = end - begin >= SHORTEST_CELLS
        return self._cells([(app.opened_s, app.closed_s)]) & ~voiced

    def _told_well(self) -> list[Interval]:
        """When the status told that all was well."""
        told = [*self._record.told, (self._end_s, {})]
        return [
            (begin_s, end_s)
            for (begin_s, status), (end_s, _) in pairwise(told)
            if status.get("state") in ALL_IS_WELL and not status["muted"]
        ]

    def _spells(self, is_so: Cells) -> list[Spell]:
        return [Spell((end - begin) * CELL_S, self.when(self._begin_s + begin * CELL_S)) for begin, end in _runs(is_so)]

    def _cells(self, intervals: Iterable[Interval]) -> Cells:
        """The session in cells of ``CELL_S``, true within these intervals."""
        cells = np.zeros(int((self._end_s - self._begin_s) / CELL_S) + 1, bool)
        for begin_s, end_s in intervals:
            cells[self._cell(np.array(begin_s)) : self._cell(np.array(end_s))] = True
        return cells

    def _cell(self, moments_s: Reals) -> NDArray[np.int64]:
        since_s = np.clip(moments_s, self._begin_s, self._end_s) - self._begin_s
        return (since_s / CELL_S).astype(int)


def _runs(is_so: Cells) -> list[tuple[int, int]]:
    """Where runs of true begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_so, [False])).astype(int)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _longest_s(spells: list[Spell]) -> float:
    return max((spell.seconds for spell in spells), default=0.0)

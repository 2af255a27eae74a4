"""Chooses the channel that carries the voice, and stays with it while somebody speaks."""

import numpy as np
from numpy.typing import NDArray

from rwc_pw.channels.voicing import HOP_SAMPLES, QUIETEST_DB, RATE_HZ, Voicing

MOMENT_S = HOP_SAMPLES / RATE_HZ
RECENT_S = 1.0  # within which what was said counts
LEAST_SAID_S = 0.06  # shorter is a click, or noise that happens to be periodic
TRUSTED_S = 10.0  # longer than this, no channel need speak to be known
KNOWN_PAUSE_S = 1.0  # between those who are known, so that a breath is no end
HELD_S = 0.5  # longer than this, no voice keeps its pitch, but hums and motors do
HELD = 0.005  # of the pitch
SPOKEN_S = 1.0  # what a held pitch gives way to
HUMS_HZ = np.array([100.0, 120.0])  # of mains, rectified: no voice holds just these
HUM = 0.05
CLEARLY_LOUDER_DB = 6.0
SAME = 0.03  # of the pitch: one voice in two channels
SAME_S = 1.0  # before it is known which of them is louder
PAUSE_S = 0.15  # in which to change to it


class ChannelChoice:
    """Takes what each moment of ``HOP_SAMPLES`` is in every channel; pure.

    Until somebody has spoken, the loudest channel is chosen. Then the one in which somebody speaks is kept, until it
    has been silent for as long as somebody has spoken there more than in the one that takes its place, or until, in a
    pause, the same voice turns out to be clearly louder in another.
    """

    def __init__(self, channels: int) -> None:
        self.channel = 0
        """The chosen one, from 0."""
        self.is_sure = False
        """True if anything has been heard in it."""
        self._said_s = np.zeros(channels)  # recently
        self._alone_s = np.zeros(channels)  # said while the chosen one is silent
        self._heard_s = np.zeros(channels)  # in all, up to TRUSTED_S
        self._pitches_hz = np.zeros(channels)
        self._held_s = np.zeros(channels)
        self._voice_db = np.full(channels, QUIETEST_DB)
        self._silent_s = 0.0
        self._same_s = np.zeros(channels)  # for which the chosen one's voice has been in the others, too
        self._louder_db = np.zeros(channels)

    def rest(self) -> None:
        """Keep the choice, but hold on to it less: the next sound comes after a while."""
        self._said_s[:] = self._alone_s[:] = 0
        self._heard_s = np.minimum(self._heard_s, KNOWN_PAUSE_S)
        self._forget_pair()
        self._silent_s = 0.0

    def observe(self, moment: Voicing) -> int:
        """Take the next moment; return the channel for it."""
        voiced = moment.pitches_hz > 0
        spoken = voiced & (self._hold(moment.pitches_hz) <= HELD_S)
        self._said_s += (spoken - self._said_s / RECENT_S) * MOMENT_S
        self._heard_s = np.minimum(self._heard_s + spoken * MOMENT_S, TRUSTED_S)
        new_voice = voiced & (self._voice_db == QUIETEST_DB)
        closer = np.where(new_voice, 1.0, 0.1) * voiced
        self._voice_db += closer * (moment.levels_db - self._voice_db)
        self.is_sure |= bool(moment.levels_db[self.channel] > QUIETEST_DB)
        speaks = bool(voiced[self.channel])
        self._silent_s = 0.0 if speaks else self._silent_s + MOMENT_S
        self._alone_s = (self._alone_s + spoken * MOMENT_S) * (not speaks)
        if speaks:
            self._compare(moment, spoken)
        if (better := self._better(moment.levels_db, voiced)) is not None:
            self.channel, self.is_sure, self._silent_s = better, True, 0.0
            self._forget_pair()
        return self.channel

    def _hold(self, pitches_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """For how long each channel has kept its pitch."""
        same = (pitches_hz > 0) & (np.abs(pitches_hz - self._pitches_hz) <= HELD * pitches_hz)
        self._held_s = np.where(same, self._held_s + MOMENT_S, 0)
        self._pitches_hz = pitches_hz
        return self._held_s

    def _compare(self, moment: Voicing, spoken: NDArray[np.bool_]) -> None:
        """Note how much louder the voice of the chosen channel is in the others, in a moment in which it speaks."""
        same = np.abs(moment.pitches_hz / moment.pitches_hz[self.channel] - 1) <= SAME
        self._same_s = np.maximum(0, self._same_s + spoken * np.where(same, MOMENT_S, -MOMENT_S))
        louder_db = moment.levels_db - moment.levels_db[self.channel]
        self._louder_db += 0.1 * (spoken & same) * (louder_db - self._louder_db)

    def _forget_pair(self) -> None:
        self._louder_db[:] = self._same_s[:] = 0

    def _better(self, levels_db: NDArray[np.float64], voiced: NDArray[np.bool_]) -> int | None:
        """The channel to change to, if any."""
        speaks = self._said_s >= LEAST_SAID_S
        trusted_s = self._heard_s[self.channel]
        if trusted_s < LEAST_SAID_S:
            if speaks.any():
                return self._loudest(speaks)
            loudest = int(levels_db.argmax())
            return loudest if levels_db[loudest] >= levels_db[self.channel] + CLEARLY_LOUDER_DB else None
        least_silent_s = np.maximum(trusted_s - self._heard_s, min(trusted_s, KNOWN_PAUSE_S))
        hums = (self._held_s > HELD_S) & (np.abs(self._pitches_hz[:, None] / HUMS_HZ - 1).min(axis=1) <= HUM)
        ready = voiced & ~hums & (self._alone_s >= LEAST_SAID_S) & (self._silent_s > least_silent_s)
        if self._held_s[self.channel] > HELD_S and trusted_s <= HELD_S + LEAST_SAID_S:
            ready |= speaks & (self._heard_s >= (LEAST_SAID_S if hums[self.channel] else SPOKEN_S))
        if self._silent_s >= PAUSE_S:
            ready |= (self._same_s >= SAME_S) & (self._louder_db >= CLEARLY_LOUDER_DB)
        ready[self.channel] = False
        return self._loudest(ready) if ready.any() else None

    def _loudest(self, among: NDArray[np.bool_]) -> int:
        return int(np.where(among, self._voice_db, -np.inf).argmax())

"""Joins two pieces of sound that are not contiguous, without a click."""

from itertools import pairwise

import numpy as np

from rwc_pw.audio.samples import Samples

BEND_SAMPLES = 96  # 2 ms: shorter is heard as a click, longer smears consonants
BEND = np.linspace(1, 0, BEND_SAMPLES, endpoint=False, dtype=np.float32)


class Declick:
    """Turns a timeline in which NaN means silence into sound.

    Where sound or silence begins, 2 ms are bent to meet the level before; the chunking does not matter.
    """

    def __init__(self) -> None:
        self._level = np.float32(0)  # the last sample put out
        self._was_silent = True
        self._is_broken = False
        self._bend = np.float32(0)
        self._fade_left = 0

    def break_off(self) -> None:
        """The next samples are not contiguous with the previous ones."""
        self._is_broken = True

    def process(self, timeline: Samples) -> Samples:
        """The sound of the next stretch of the timeline, (n,) to (n,)."""
        if not len(timeline):
            return timeline
        silent = np.isnan(timeline)
        begins = np.diff(silent, prepend=self._was_silent)
        begins[0] |= self._is_broken
        self._was_silent, self._is_broken = bool(silent[-1]), False
        audio = np.where(silent, np.float32(0), timeline)
        for start, end in pairwise([0, *np.flatnonzero(begins[1:]) + 1, len(audio)]):
            self._bend_piece(audio[start:end], begins=bool(begins[start]))
        return audio

    def _bend_piece(self, audio: Samples, *, begins: bool) -> None:
        if begins:
            self._bend, self._fade_left = self._level - audio[0], BEND_SAMPLES
        bent = min(self._fade_left, len(audio))
        audio[:bent] += self._bend * BEND[BEND_SAMPLES - self._fade_left :][:bent]
        self._fade_left -= bent
        self._level = audio[-1]

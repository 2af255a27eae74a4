"""Joins two pieces of sound that do not follow each other, without a click."""

from itertools import pairwise

import numpy as np

from rwc_pw.streaming.backend import Samples

FADE_SAMPLES = 96  # 2 ms: shorter is heard as a click, longer smears consonants
FADE = np.linspace(1, 0, FADE_SAMPLES, endpoint=False, dtype=np.float32)


class Declick:
    """Makes sound of a timeline in which NaN is silence; where either begins, 2 ms are bent, however it is cut."""

    def __init__(self) -> None:
        self._level = np.float32(0)  # the last sample that was heard
        self._was_silent = True
        self._is_broken = False
        self._bend = np.float32(0)
        self._fade_left = 0

    def break_off(self) -> None:
        """What comes next does not follow what was before."""
        self._is_broken = True

    def process(self, timeline: Samples) -> Samples:
        """The sound, (n,), of the next (n,)."""
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
            self._bend, self._fade_left = self._level - audio[0], FADE_SAMPLES
        bent = min(self._fade_left, len(audio))
        audio[:bent] += self._bend * FADE[FADE_SAMPLES - self._fade_left :][:bent]
        self._fade_left -= bent
        self._level = audio[-1]

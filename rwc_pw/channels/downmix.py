"""Makes one channel of a microphone's many, without delay and without a click."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rwc_pw.audio.crossfade import FADE_SAMPLES
from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.channels.choice import ChannelChoice
from rwc_pw.channels.options import AUTO, MIX
from rwc_pw.channels.voicing import HOP_SAMPLES, RATE_HZ, WINDOW_SAMPLES, voicing

Frames = NDArray[np.float32]
"""Sound of several channels: shape (n, channels), float32, full scale ±1, at ``SAMPLE_RATE_HZ``."""

STEP = SAMPLE_RATE_HZ // RATE_HZ
LOUDEST = 1e3  # beyond it, and if it is not finite, it is no sound


@dataclass(frozen=True)
class Wanted:
    """The channels that are recorded, and the wanted one."""

    asked: str = AUTO
    """``AUTO``, ``MIX`` or a channel's number, from 1."""
    microphone: tuple[int, object] = (0, None)
    """Identity of the microphone, which no other shares."""
    channels: int = 1
    """Number of its channels."""


class Downmix:
    """Takes frame after frame in the thread that carries the sound; all else may be called from another."""

    def __init__(self) -> None:
        self.wanted = Wanted()
        """Treatment of the frames that come next."""
        self._begin(self.wanted)
        self._taken = self._before = self._choose()
        self._faded = FADE_SAMPLES

    @property
    def told(self) -> str:
        """The channel that is taken, from 1, or ``MIX``; empty where there is one alone or none is chosen yet."""
        wanted, choice = self.wanted, self._choice
        if wanted.channels == 1 and wanted.asked in (AUTO, MIX):
            return ""
        if wanted.asked != AUTO:
            return wanted.asked
        return str(choice.channel + 1) if wanted is self._served and choice.is_sure else ""

    @property
    def likeliest(self) -> int:
        """The channel that is taken, or would be first, from 0."""
        return self._choice.channel if self.wanted is self._served else 0

    def rest(self) -> None:
        """Forget what the last frames were: the next come after a while."""
        self._choice.rest()
        self._forget()

    def process(self, frames: Frames) -> Samples:
        """One channel of the next frames, (n, channels) to (n,)."""
        if self.wanted is not self._served:
            self._begin(self.wanted)
        if self._served.asked == AUTO and self._served.channels > 1:
            self._listen(frames[:, : self._served.channels])
        if self._faded >= FADE_SAMPLES:
            self._before, self._taken = self._taken, self._choose()
            self._faded = 0 if self._before != self._taken else FADE_SAMPLES
        return self._faded_in(frames)

    def _begin(self, wanted: Wanted) -> None:
        self._served = wanted
        self._choice = ChannelChoice(wanted.channels)
        self._forget()

    def _forget(self) -> None:
        self._waiting = np.zeros((0, self._served.channels), np.float32)
        self._window = np.zeros((self._served.channels, WINDOW_SAMPLES), np.float32)

    def _listen(self, frames: Frames) -> None:
        """Let each moment that is complete be judged."""
        waiting = np.concatenate([self._waiting, frames])
        hop = HOP_SAMPLES * STEP
        moments = len(waiting) // hop
        for moment in np.split(waiting[: moments * hop], moments) if moments else ():
            heard = _finite(moment).reshape(HOP_SAMPLES, STEP, -1).mean(axis=1).T
            self._window = np.concatenate([self._window[:, HOP_SAMPLES:], heard], axis=1)
            self._choice.observe(voicing(self._window))
        self._waiting = waiting[moments * hop :]

    def _choose(self) -> tuple[int, ...]:
        """The channels whose mean is taken."""
        if self._served.asked == MIX:
            return tuple(range(self._served.channels))
        return (self._choice.channel if self._served.asked == AUTO else int(self._served.asked) - 1,)

    def _faded_in(self, frames: Frames) -> Samples:
        sound = _mean(frames, self._taken)
        left = min(FADE_SAMPLES - self._faded, len(frames))
        if left:
            share = (np.arange(self._faded, self._faded + left) / FADE_SAMPLES).astype(np.float32)
            before = _finite(_mean(frames[:left], self._before))
            sound = np.concatenate([before + share * (sound[:left] - before), sound[left:]])
            self._faded += left
        return sound


def _finite(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sound, with silence for what is none."""
    return np.where(np.abs(sound) < LOUDEST, sound, np.float32(0))


def _mean(frames: Frames, channels: tuple[int, ...]) -> Samples:
    """The mean of some channels; those that are not there are silent."""
    there = [channel for channel in channels if channel < frames.shape[1]]
    if len(channels) == 1 and there:
        return frames[:, there[0]]
    mean: Samples = frames[:, there].sum(axis=1, dtype=np.float32) / np.float32(len(channels))
    return mean

"""The sound sources that replace the speaker's vocal cords."""

from typing import Protocol

import numpy as np

from rwc_pw.conversion.vocoder.spectrum import Reals


class Excitation(Protocol):
    """An endless sound; its level does not matter."""

    def next_samples(self, count: int) -> Reals:
        """The next samples, (count,)."""


class Noise:
    """White noise, for a whisper."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def next_samples(self, count: int) -> Reals:
        return self._random.standard_normal(count)


class PulseTrain:
    """Pulses at a constant pitch, for a robot."""

    def __init__(self, pitch_hz: float, sample_rate_hz: int) -> None:
        self._period_samples = sample_rate_hz / pitch_hz
        self._next_pulse_samples = 0.0
        self._carried = 0.0

    def next_samples(self, count: int) -> Reals:
        pulses = np.zeros(count + 1)
        pulses[0] = self._carried
        while self._next_pulse_samples < count:
            # A pulse between two samples is shared by both, or the pitch would jitter.
            whole = int(self._next_pulse_samples)
            share = self._next_pulse_samples - whole
            pulses[whole] += 1.0 - share
            pulses[whole + 1] += share
            self._next_pulse_samples += self._period_samples
        self._next_pulse_samples -= count
        self._carried = float(pulses[count])
        return pulses[:count]

"""What one block of a voice takes, wherever it is computed: on the CPU (`cpu_step`) or a graphics card (`card_step`).

The recipe is RVC's: ContentVec's features, drawn towards the index; the pitch; the text encoder's frames, with noise;
flow and generator, which are given a source of sine and noise.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NOISE_SCALE = 0.66666
SINE_AMPLITUDE = 0.1
VOICED_NOISE = 0.003
UNVOICED_NOISE = SINE_AMPLITUDE / 3
LEAST_MEL, MOST_MEL = (1127 * float(np.log1p(hz / 700)) for hz in (50.0, 1100.0))
PITCH_BINS = 255  # of the mel scale; the first is for none
NO_PROTECTION = 0.5

Array = NDArray[np.float32]


@dataclass(frozen=True)
class StepSettings:
    """What may change from block to block."""

    pitch_ratio: float = 1.0
    index_rate: float = 0.0
    """The share of the features that comes from the index."""
    protect: float = NO_PROTECTION
    """The share of the index in what is not voiced; from ``NO_PROTECTION`` on the same as in what is."""


@dataclass(frozen=True)
class StepNoise:
    """Normal; what belongs to a frame is the same whenever that frame is decoded."""

    frames: Array
    """(decoded_frames, channels)."""
    source: Array
    """(decoded_frames, samples_per_frame)."""


class Step(Protocol):
    """Computes one block after the other; what the next one needs of this one stays in it."""

    channels: int
    """Of the frames that the flow begins with."""
    samples_per_frame: int

    def reset(self) -> None:
        """Begin anew: nothing was heard, nothing said."""

    def __call__(self, heard: Array, noise: StepNoise, settings: StepSettings) -> Array:
        """(window_samples,) at 16 kHz to (decoded_frames · samples_per_frame,): the block, and what it foresees."""

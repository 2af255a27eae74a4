"""The interface for computing one block of a voice, on the CPU (`cpu_step`) or a GPU (`gpu_step`).

The recipe is RVC's: ContentVec's features, moved towards the index; the pitch; the text encoder's frames, with noise;
flow and generator, driven by a source of sine and noise.
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
PITCH_BINS = 255  # on the mel scale; the first means unvoiced
NO_PROTECTION = 0.5

Array = NDArray[np.float32]


@dataclass(frozen=True)
class StepSettings:
    """Settings that may change from block to block."""

    pitch_ratio: float = 1.0
    index_rate: float = 0.0
    """The share of the features that comes from the index."""
    protect: float = NO_PROTECTION
    """The index's share in unvoiced frames; from ``NO_PROTECTION`` on, the same as in voiced frames."""


@dataclass(frozen=True)
class StepNoise:
    """Normal noise; a frame's noise is the same every time the frame is decoded."""

    frames: Array
    """(decoded_frames, channels)."""
    source: Array
    """(decoded_frames, samples_per_frame)."""


class Step(Protocol):
    """Computes one block after another, and keeps the state that the next one needs."""

    channels: int
    """Number of channels of the flow's input frames."""
    samples_per_frame: int

    def reset(self) -> None:
        """Discard all state."""

    def __call__(self, window: Array, noise: StepNoise, settings: StepSettings) -> Array:
        """(window_samples,) at 16 kHz to (decoded_frames · samples_per_frame,): the block and its look-ahead."""

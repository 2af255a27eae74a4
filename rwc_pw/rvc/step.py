"""The interface for computing one block of a voice, on the CPU (`cpu_voice`) or a GPU (`gpu_voice`)."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.block import NO_PROTECTION

Array = NDArray[np.float32]


@dataclass(frozen=True)
class StepSettings:
    """Settings that may change from block to block."""

    pitch_ratio: float = 1.0
    index_rate: float = 0.0
    """The share of the features that comes from the index."""
    protect: float = NO_PROTECTION
    """The index's share in unvoiced frames; from ``NO_PROTECTION`` on, the same as in voiced frames."""

    def numbers(self) -> Array:
        """Ratio, rate and protection, (3,)."""
        return np.array([self.pitch_ratio, self.index_rate, self.protect], np.float32)


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
        """Convert (window_samples,) at 16 kHz to block and look-ahead, (decoded_frames · samples_per_frame,)."""

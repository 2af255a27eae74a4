"""Finds the pitch of sound at 16 kHz, (n,): one value in Hz every 10 ms, 0 where unvoiced."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, CONTENT_RATE_HZ
from rwc_pw.system.extra import load_module

LEAST_CONFIDENCE = 0.5
SPECTRUM_SAMPLES = 1024
PITCHES = 360  # that a network rates
REACH = 4
LEAST_WEIGHT = 1e-30

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SalienceFacts:
    """Facts of a network that rates the salience of pitches."""

    padding_samples: int
    """Before and after the sound, by reflection."""
    multiple_frames: int
    """The network takes multiples of so many frames."""
    least_salience: float
    """The salience that a voiced frame exceeds."""
    least_cents: float
    """The first pitch, in cents above 10 Hz; the others follow evenly."""
    most_cents: float

    def frames(self, window_samples: int) -> tuple[int, int]:
        """Number of frames of a window, and number missing to the multiple that the network takes."""
        frames = (window_samples + 2 * self.padding_samples - SPECTRUM_SAMPLES) // CONTENT_FRAME_SAMPLES + 1
        return frames, -frames % self.multiple_frames


class SalienceDetector:
    """The pitch by the networks of ``rwc_pw.rvc.network.salience``, in numpy's functions or torch's.

    Both networks were trained with frame k at k · 10 ms, whatever their padding.
    """

    def __init__(
        self,
        functions: Any,
        array: Callable[[NDArray[Any]], Any],
        network: Callable[[Any], Any],
        facts: SalienceFacts,
        window_samples: int,
    ) -> None:
        """``functions`` is numpy or torch, ``array`` makes its arrays; all windows have ``window_samples``."""
        self._functions = functions
        self._network = network
        self._least_salience = facts.least_salience
        self._frames, missing = facts.frames(window_samples)
        pad = facts.padding_samples
        samples = np.pad(np.arange(window_samples), pad, mode="reflect")
        frames = np.pad(np.arange(self._frames), (0, missing), mode="reflect")
        # the samples of each frame, with padding and frames that are missing: one indexing does it all
        self._samples = array(samples[frames[:, None] * CONTENT_FRAME_SAMPLES + np.arange(SPECTRUM_SAMPLES)])
        self._hann = array(_HANN)
        self._reach = array(np.arange(-REACH, REACH + 1))
        self._rows = array(np.arange(self._frames)[:, None] * PITCHES)
        self._range_cents = facts.least_cents, facts.most_cents

    def __call__(self, window: Any) -> Any:
        """Find the pitch in Hz, (frames,), of (window_samples,)."""
        xp = self._functions
        magnitudes = xp.abs(xp.fft.rfft(window[self._samples] * self._hann))
        salience = self._network(xp.asarray(magnitudes, dtype=xp.float32)[None])[0][: self._frames]
        return self._pitch_hz(xp.asarray(salience, dtype=xp.float64))

    def _pitch_hz(self, salience: Any) -> Any:
        """Each frame's weighted mean of the most salient pitch and its neighbours; cents are relative to 10 Hz."""
        xp = self._functions
        at = salience.argmax(1)[:, None] + self._reach
        inside = xp.clip(at, 0, PITCHES - 1)
        weights = xp.where(at == inside, salience.reshape(-1)[self._rows + inside], 0.0)
        least, most = self._range_cents
        known_cents = least + (most - least) / (PITCHES - 1) * inside
        cents = (weights * known_cents).sum(1) / xp.clip(weights.sum(1), LEAST_WEIGHT, None)
        voiced = xp.amax(salience, 1) > self._least_salience
        return xp.asarray(xp.where(voiced, 10 * 2 ** (cents / 1200), 0.0), dtype=xp.float32)


def detect_by_swift_f0(window: Array) -> Array:
    """The pitch by SwiftF0 (Nieradzik, 2025), whose weights come with its package."""
    found = _swift_f0().detect(window, CONTENT_RATE_HZ)
    voiced = found.confidence >= LEAST_CONFIDENCE
    at_s = np.arange(len(window) // CONTENT_FRAME_SAMPLES) * (CONTENT_FRAME_SAMPLES / CONTENT_RATE_HZ)
    if not voiced.any():
        return np.zeros(len(at_s), np.float32)
    line = np.exp(np.interp(at_s, found.timestamps[voiced], np.log(found.pitch_hz[voiced])))
    nearest = np.abs(at_s[:, None] - found.timestamps[None]).argmin(axis=1)
    return np.where(voiced[nearest], line, 0).astype(np.float32)


@cache
def _swift_f0() -> Any:
    return load_module("swift_f0").SwiftF0(threads=1, spin=False)


_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SPECTRUM_SAMPLES) / SPECTRUM_SAMPLES)).astype(np.float32)

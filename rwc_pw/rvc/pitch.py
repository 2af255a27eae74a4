"""Detects the pitch of sound at 16 kHz, (n,), in one of three ways: times in s, and Hz, 0 where unvoiced."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, CONTENT_RATE_HZ
from rwc_pw.system.extra import load_module

LEAST_CONFIDENCE = 0.5
SPECTRUM_SAMPLES = 1024
REACH = 4
NEIGHBOUR_BINS = np.arange(-REACH, REACH + 1)

Array = NDArray[np.float32]
Pitch = tuple[NDArray[np.float64], NDArray[np.float64]]


def detect_pitch(sound: Array) -> Pitch:
    """The pitch by SwiftF0 (Nieradzik, 2025), whose weights come with its package."""
    found = _swift_f0().detect(sound, CONTENT_RATE_HZ)
    return found.timestamps, np.where(found.confidence >= LEAST_CONFIDENCE, found.pitch_hz, 0)


def frame_counts(window_samples: int, facts: Mapping[str, float]) -> tuple[int, int]:
    """Number of frames of a padded window, and number missing to the multiple that the network needs."""
    padded_samples = window_samples + 2 * int(facts["padding_samples"])
    frames = (padded_samples - SPECTRUM_SAMPLES) // CONTENT_FRAME_SAMPLES + 1
    return frames, -frames % int(facts["multiple_frames"])


class SalienceDetector:
    """The pitch by RMVPE (Wei et al., 2023) or FCPE (Luo et al., 2025), which rate the salience of 360 pitches."""

    def __init__(self, compiled: Path, window_samples: int) -> None:
        """``compiled`` is what ``rwc_pw.rvc.network.export`` wrote; all windows have ``window_samples``."""
        facts = json.loads((compiled / "facts.json").read_text())
        self._padding_samples: int = facts["padding_samples"]
        self._least_salience: float = facts["least_salience"]
        self._frames, self._missing_frames = frame_counts(window_samples, facts)
        self._network = CpuNetwork(compiled / "salience.xml", [self._frames + self._missing_frames])
        self._cents = facts["least_cents"], facts["most_cents"]

    def __call__(self, window: Array) -> Pitch:
        """One pitch every 10 ms; both networks were trained with frame k at k · 10 ms, whatever their padding."""
        magnitudes = np.pad(self._magnitudes(window), ((0, self._missing_frames), (0, 0)), mode="reflect")
        salience = self._network(magnitudes[None])[0][0, : self._frames].astype(np.float64)
        if not np.isfinite(salience).all():  # otherwise all would be taken for unvoiced
            raise RuntimeError("the pitch detector returned numbers that are not finite")
        return np.arange(self._frames, dtype=np.float64) * (CONTENT_FRAME_SAMPLES / CONTENT_RATE_HZ), self._pitch_hz(
            salience
        )

    def _magnitudes(self, window: Array) -> Array:
        """(frames, 513)."""
        padded = np.pad(window, self._padding_samples, mode="reflect")
        frames = sliding_window_view(padded, SPECTRUM_SAMPLES)[::CONTENT_FRAME_SAMPLES]
        magnitudes: Array = np.abs(np.fft.rfft(frames * _HANN)).astype(np.float32)
        return magnitudes

    def _pitch_hz(self, salience: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each frame's weighted mean of the most salient pitch and its neighbours; cents are relative to 10 Hz."""
        pitches = salience.shape[1]
        at = salience.argmax(axis=1)[:, None] + NEIGHBOUR_BINS
        weights = np.take_along_axis(np.pad(salience, ((0, 0), (REACH, REACH))), at + REACH, axis=1)
        known_cents = np.linspace(*self._cents, pitches)[np.clip(at, 0, pitches - 1)]
        cents = (weights * known_cents).sum(axis=1) / np.maximum(weights.sum(axis=1), np.finfo(np.float64).tiny)
        return np.where(salience.max(axis=1) > self._least_salience, 10 * 2 ** (cents / 1200), 0)


@cache
def _swift_f0() -> Any:
    return load_module("swift_f0").SwiftF0(threads=1, spin=False)


_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SPECTRUM_SAMPLES) / SPECTRUM_SAMPLES)).astype(np.float32)

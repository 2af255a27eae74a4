"""Measuring what comes out of a private PipeWire: how late it is to the sample, and what it is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from rwc_pw.audio.samples import SAMPLE_RATE_HZ as RATE_HZ
from rwc_pw.headless.recording import PairRecorder, Player, connect
from rwc_pw.headless.session import HeadlessPipeWire
from tests.patience import PATIENCE_S

T = TypeVar("T")

__all__ = (
    "MICROPHONE_PORT",
    "RATE_HZ",
    "VOICE_PORT",
    "WINDOW",
    "PairRecorder",
    "Player",
    "connect",
    "delay_samples",
    "delays",
    "dominant_hz",
    "is_loud",
    "noise",
    "real_speech",
    "record_pair",
    "tone",
    "undisturbed",
)

MICROPHONE_PORT = "headless_microphone:capture_MONO"
VOICE_PORT = "rwc_voice:capture_MONO"
WINDOW = RATE_HZ // 10


def record_pair(
    headless: HeadlessPipeWire,
    left_port: str,
    right_port: str,
    *,
    seconds: float = 1.0,
    until: Callable[[], object] | None = None,
) -> np.ndarray:
    """What two output ports carry, (n, 2): for ``seconds``, or until ``until()`` returns."""
    with PairRecorder(headless, left_port, right_port) as recorder:
        if until is not None:
            until()
            return recorder.frames()
        frames = round(seconds * RATE_HZ)
        recorder.wait(frames, timeout_s=PATIENCE_S + seconds)
        return recorder.frames()[:frames]


def undisturbed(attempt: Callable[[], T | None]) -> T:
    """The first result of ``attempt`` that is one: it gives None where a busy machine has lost sound, and said so.

    What always loses sound is ended by the test's time limit.
    """
    while (result := attempt()) is None:
        pass
    return result


def delay_samples(reference: np.ndarray, heard: np.ndarray, window: int, *, longest: int = RATE_HZ) -> np.ndarray:
    """How many samples later each window of ``reference`` is in ``heard``: nan where it is silent or lost."""
    starts = range(0, len(reference) - window + 1, window)
    return np.array([_delay(reference[i : i + window], heard[i : i + window + longest]) for i in starts])


def _delay(wanted: np.ndarray, heard: np.ndarray) -> float:
    lags = len(heard) - len(wanted) + 1
    if lags < 1 or not np.any(wanted):
        return np.nan
    size = 1 << (len(heard) + len(wanted)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
    correlation = np.fft.irfft(spectrum, size)[:lags]
    energy = np.cumsum(np.concatenate(([0.0], heard.astype(np.float64) ** 2)))
    energy_there = energy[len(wanted) :] - energy[: -len(wanted)]
    loud = energy_there > 1e-6 * energy_there.max()  # elsewhere only the rounding of the sums is left
    likeness = np.zeros(lags)
    np.divide(correlation, np.sqrt(energy_there * np.sum(wanted.astype(np.float64) ** 2)), out=likeness, where=loud)
    best = int(np.argmax(likeness))
    return float(best) if likeness[best] > 0.5 else np.nan


def dominant_hz(samples: np.ndarray, rate_hz: int) -> float:
    """The frequency with the most energy."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    spectrum[0] = 0
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def tone(frequency_hz: float, seconds: float) -> np.ndarray:
    """A sine of half the full scale."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def is_loud(heard: np.ndarray) -> bool:
    return bool(np.abs(heard).max() > 0.05)


def noise(seconds: float, level: float = 0.3) -> np.ndarray:
    return level * np.random.default_rng(1).uniform(-1, 1, round(seconds * RATE_HZ)).astype(np.float32)


def delays(pair: np.ndarray) -> np.ndarray:
    """The delay in each tenth of a second in which something was said and heard."""
    found = delay_samples(pair[:, 0], pair[:, 1], WINDOW, longest=RATE_HZ // 5)
    return found[~np.isnan(found)]


def real_speech() -> np.ndarray:
    """A minute of speech where it lies beside the project, else of noise that comes and goes; mono at 48 kHz."""
    folder = Path(os.environ.get("RWC_PW_SPEECH", Path(__file__).parents[3] / "shared" / "speech"))
    files = sorted(folder.rglob("*.flac"))[::5]
    if not files:
        time_s = np.arange(60 * 48000) / 48000
        return (0.2 * np.random.default_rng(1).standard_normal(len(time_s)) * np.sin(7 * time_s) ** 2).astype("f4")
    thrice = [np.repeat(soundfile.read(file, dtype="float32")[0], 3) for file in files]  # 16 kHz, where it matters not
    return np.concatenate(thrice)[: 60 * 48000]

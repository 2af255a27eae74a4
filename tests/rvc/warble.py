"""A voice whose pitch rises and falls, by which a delay is measured where nothing but the pitch survives."""

import numpy as np

from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, Samples

MIDDLE_HZ, DEPTH_HZ, TURNS_HZ = 180.0, 40.0, 1.3
SMOOTHING_SAMPLES = SAMPLE_RATE_HZ // 50
STEP_SAMPLES = 12
COMPARED_S = slice(2.0, 3.5)  # after the beginning


def warble(seconds: float) -> Samples:
    turns = np.cumsum(_pitch_hz(seconds)) / SAMPLE_RATE_HZ
    return (0.15 * sum(np.sin(2 * np.pi * number * turns) / number for number in range(1, 15))).astype(np.float32)


def delay_samples(heard: Samples, longest: int) -> int:
    """How much later the pitch of ``heard``, a sine, is that of the warble, which began with its first sample."""
    positive = np.fft.fft(heard.astype(np.float64))
    positive[len(positive) // 2 :] = 0
    heard_hz = np.diff(np.unwrap(np.angle(np.fft.ifft(positive)))) * SAMPLE_RATE_HZ / (2 * np.pi)
    smooth_hz = np.convolve(heard_hz, np.ones(SMOOTHING_SAMPLES) / SMOOTHING_SAMPLES, "same")
    start, end = (round(second * SAMPLE_RATE_HZ) for second in (COMPARED_S.start, COMPARED_S.stop))
    spoken_hz = _pitch_hz(COMPARED_S.stop)[start:end]

    def unlikeness(delay: int) -> float:
        return float(np.mean((smooth_hz[start + delay : end + delay] - spoken_hz) ** 2))

    return min(range(0, longest, STEP_SAMPLES), key=unlikeness)


def _pitch_hz(seconds: float) -> np.ndarray:
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return MIDDLE_HZ + DEPTH_HZ * np.sin(2 * np.pi * TURNS_HZ * times_s)

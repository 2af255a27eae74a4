"""A voice whose pitch rises and falls, by which a delay is measured where nothing but the pitch survives."""

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples

MIDDLE_HZ, DEPTH_HZ, TURNS_HZ = 180.0, 40.0, 1.3
FUNDAMENTAL_HZ = slice(100, 250)
SMOOTHING_SAMPLES = SAMPLE_RATE_HZ // 50
STEP_SAMPLES = 12
COMPARED_SAMPLES = slice(2 * SAMPLE_RATE_HZ, 7 * SAMPLE_RATE_HZ // 2)  # after the beginning


def warble(seconds: float) -> Samples:
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitch_hz = MIDDLE_HZ + DEPTH_HZ * np.sin(2 * np.pi * TURNS_HZ * times_s)
    turns = np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    return (0.15 * sum(np.sin(2 * np.pi * number * turns) / number for number in range(1, 15))).astype(np.float32)


def delay_samples(spoken: Samples, heard: Samples, longest: int) -> int:
    """How much later the pitch of ``heard`` is that of a warble that was ``spoken``; both began together, (n,)."""
    spoken_hz, heard_hz = _pitch_hz(spoken), _pitch_hz(heard)
    start, end = COMPARED_SAMPLES.start, COMPARED_SAMPLES.stop

    def unlikeness(delay: int) -> float:
        return float(np.mean((heard_hz[start + delay : end + delay] - spoken_hz[start:end]) ** 2))

    return min(range(0, longest, STEP_SAMPLES), key=unlikeness)


def _pitch_hz(sound: Samples) -> np.ndarray:
    """At each sample, by the phase of the fundamental."""
    spectrum = np.fft.fft(sound.astype(np.float64))
    first, last = (hz * len(sound) // SAMPLE_RATE_HZ for hz in (FUNDAMENTAL_HZ.start, FUNDAMENTAL_HZ.stop))
    spectrum[:first] = spectrum[last:] = 0
    phase = np.unwrap(np.angle(np.fft.ifft(spectrum)))
    pitch_hz = np.diff(phase) * SAMPLE_RATE_HZ / (2 * np.pi)
    return np.convolve(pitch_hz, np.ones(SMOOTHING_SAMPLES) / SMOOTHING_SAMPLES, "same")

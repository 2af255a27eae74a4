"""What is said to voices."""

import numpy as np


def tone(seconds: float, rate_hz: int = 48_000) -> np.ndarray:
    """A tone of 170 Hz that FCPE takes for a voice."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = sum(np.sin(2 * np.pi * 170 * number * times_s) / number for number in range(1, 20))
    return (0.2 * sound).astype(np.float32)

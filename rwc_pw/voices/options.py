"""Settings of a voice: one default and one range each, wherever they are set."""

from typing import NamedTuple


class Option(NamedTuple):
    """A number that a user can choose."""

    default: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.least:g} to {self.most:g}"


PITCH = Option(0.0, -24.0, 24.0)
"""In semitones, as are the formants."""
FORMANT = Option(0.0, -12.0, 12.0)
GAIN_DB = Option(0.0, -60.0, 24.0)
GATE_DB = Option(-50.0, -120.0, 0.0)

# of RVC voices only
INDEX_RATE = Option(0.75, 0.0, 1.0)
PROTECT = Option(0.33, 0.0, 0.5)
RMS_MIX_RATE = Option(1.0, 0.0, 1.0)
LOOK_AHEAD_MS = Option(10, 10, 160)
"""Look-ahead of flow and generator; a longer one brings them no closer to their offline sound."""
CHUNK_SAMPLES = Option(4096, 960, 16384)

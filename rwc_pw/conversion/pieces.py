"""Cuts a long recording into pieces, in quiet places rather than within words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUIET_S = 0.02
MARGIN_S = 0.5  # converted before and after a piece, and cut off again


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording, and the wider stretch that is converted with it; all in frames."""

    start: int
    end: int
    wide_start: int
    wide_end: int


def pieces(
    frames: int, rate_hz: int, longest_s: float, read: Callable[[int, int], NDArray[np.float32]]
) -> Iterator[Piece]:
    """The recording in pieces of at most ``longest_s``; a shorter recording is one piece.

    ``read(start, end)`` returns the sound, (frames,): each piece ends at the quietest point in its last tenth.
    """
    longest, margin = round(longest_s * rate_hz), round(MARGIN_S * rate_hz)
    start = 0
    while start < frames:
        end = frames
        if frames - start > longest:
            search = start + longest - longest // 10
            end = search + _quietest(read(search, start + longest), round(QUIET_S * rate_hz))
        yield Piece(start, end, max(0, start - margin), min(frames, end + margin))
        start = end


def _quietest(sound: NDArray[np.float32], window: int) -> int:
    """The middle of the window with the least energy."""
    windows = sound[: len(sound) // window * window].reshape(-1, window)
    return int(np.argmin(np.mean(windows**2, axis=1))) * window + window // 2

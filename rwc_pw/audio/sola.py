"""Joins sounds that were converted separately: synchronised overlap-add (SOLA; Roucos and Wilgus, ICASSP 1985)."""

import numpy as np

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples

SOLA_FADE_SAMPLES = SAMPLE_RATE_HZ // 50
SEARCH_SAMPLES = SAMPLE_RATE_HZ // 100  # one period of a voice of 100 Hz


class Sola:
    """Each piece overlaps the previous one, and is shifted to where the two match best before they are crossfaded."""

    overlap_samples = SOLA_FADE_SAMPLES + SEARCH_SAMPLES

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with silence."""
        self._tail = np.zeros(SOLA_FADE_SAMPLES, np.float32)
        self._moved_samples = 0

    @property
    def latency_samples(self) -> int:
        """Delay of the last output behind the end of its piece; depends on how far the piece was shifted."""
        return self.overlap_samples - self._moved_samples

    def join(self, piece: Samples) -> Samples:
        """The next sound, (n,), from a piece of (n + ``overlap_samples``,) that begins with the overlap."""
        length = len(piece) - self.overlap_samples
        self._moved_samples = self._best_move(piece[: self.overlap_samples])
        moved = piece[self._moved_samples :][: length + SOLA_FADE_SAMPLES].copy()
        rising = np.linspace(0, 1, SOLA_FADE_SAMPLES, endpoint=False, dtype=np.float32)
        moved[:SOLA_FADE_SAMPLES] += (1 - rising) * (self._tail - moved[:SOLA_FADE_SAMPLES])
        self._tail = moved[length:].copy()
        return moved[:length]

    def _best_move(self, head: Samples) -> int:
        """The shift at which this piece's head best matches the previous tail, by normalised cross-correlation."""
        likeness = np.correlate(head, self._tail, "valid")
        energy = np.convolve(head**2, np.ones(SOLA_FADE_SAMPLES, np.float32), "valid")
        return int(np.argmax(likeness / np.sqrt(energy + 1e-8)))

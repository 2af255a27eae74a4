"""Shifts the peaks of a spectrum to another pitch, each with its phase relations intact."""

import math

import numpy as np

from rwc_pw.conversion.vocoder.spectrum import Complexes, Indices, Reals

LOCKED_HARMONICS_HZ = 5000.0
_TURN = 2.0 * math.pi
_ANGLES = 512  # of the search for the fundamental's phase


class PitchShifter:
    """Phase-locked pitch shift of frames that are ``hop_samples`` apart.

    Each peak moves with the bins around it and is rotated by the phase that its new frequency has gained
    (Laroche and Dolson, "New phase-vocoder techniques for pitch-shifting", 1999). If there is a pitch, its h-th
    harmonic is rotated by h times one angle, so that the voice's pulses stay pulses. The spectra's phases must be
    relative to the point where the output is strongest.
    """

    def __init__(self, frame_samples: int, hop_samples: int, sample_rate_hz: int) -> None:
        self._bins = frame_samples // 2 + 1
        self._hop_turn = _TURN * hop_samples / frame_samples
        self._top_locked_bin = LOCKED_HARMONICS_HZ * frame_samples / sample_rate_hz
        self._index = np.arange(self._bins)
        self.reset()

    def reset(self) -> None:
        """Forget the phases."""
        self._previous: Complexes = np.zeros(self._bins, np.complex128)
        self._turns: Reals = np.zeros(self._bins)

    def shift(
        self, spectrum: Complexes, flat: Complexes, peaks: Indices, heights: Reals, pitch_bins: float, ratio: float
    ) -> Complexes:
        """``flat`` with its pitch multiplied by ``ratio``, (bins,).

        ``spectrum`` is the frame before its envelope was removed, with ``heights`` at ``peaks``.
        """
        frequencies = self._frequencies(spectrum, peaks)
        moves = (ratio - 1.0) * frequencies
        turns = self._turns[peaks] + self._hop_turn * moves
        if pitch_bins:
            self._lock(turns, frequencies, heights, pitch_bins)
        borders = (peaks[1:] + peaks[:-1] + 1) // 2
        turns = np.remainder(turns, _TURN)  # wrapped, or precision would be lost over hours
        self._previous = spectrum
        self._turns = np.repeat(turns, self._widths(borders))
        return self._move(flat, peaks, borders, moves, np.exp(1j * turns))

    def _frequencies(self, spectrum: Complexes, peaks: Indices) -> Reals:
        """The frequency at each peak in bins, from the phase gained since the previous frame."""
        gained = np.angle(spectrum[peaks] * self._previous[peaks].conj()) - self._hop_turn * peaks
        gained -= _TURN * np.rint(gained / _TURN)
        frequencies: Reals = np.clip(gained / self._hop_turn, -1.0, 1.0) + peaks
        return frequencies

    def _lock(self, turns: Reals, frequencies: Reals, heights: Reals, pitch_bins: float) -> None:
        """Set the harmonics' ``turns`` to h times the angle that fits them all best."""
        order = np.rint(frequencies / _refine(pitch_bins, frequencies, heights)).astype(np.intp)
        locked = np.flatnonzero((order > 0) & (frequencies < self._top_locked_bin))
        if not len(locked):
            return
        order, weights, angles = order[locked], heights[locked], turns[locked]
        real = np.bincount(order, weights * np.cos(angles), _ANGLES)
        imaginary = np.bincount(order, weights * np.sin(angles), _ANGLES)
        angle = _TURN / _ANGLES * int(np.fft.fft(real + 1j * imaginary).real.argmax())
        rest = angles - order * angle
        bend = np.dot(weights * order**2, np.cos(rest))
        if bend > 0.0:
            angle += float(np.clip(np.dot(weights * order, np.sin(rest)) / bend, -_TURN / _ANGLES, _TURN / _ANGLES))
        turns[locked] = order * angle

    def _widths(self, borders: Indices) -> Indices:
        """Numbers of bins between 0, ``borders`` and the end."""
        widths: Indices = np.diff(np.concatenate(((0,), borders, (self._bins,))))
        return widths

    def _move(self, flat: Complexes, peaks: Indices, borders: Indices, moves: Reals, rotations: Complexes) -> Complexes:
        """Each output bin, taken from its peak's bins ``moves`` further down; zero where two peaks move apart."""
        positions = peaks + moves
        meet = np.ceil((positions[1:] + positions[:-1]) / 2).astype(np.intp)
        meet = np.maximum.accumulate(np.clip(meet, 0, self._bins))
        peak = np.repeat(np.arange(len(peaks)), self._widths(meet))
        source = self._index - moves[peak]
        first = np.concatenate(((0.0,), borders - 0.5))
        last = np.concatenate((borders, (self._bins - 1.0,)))
        inside = (source >= first[peak]) & (source <= last[peak])
        below = np.minimum(np.maximum(source, 0.0).astype(np.intp), self._bins - 2)
        share = source - below
        moved: Complexes = (flat[below] * (1.0 - share) + flat[below + 1] * share) * rotations[peak] * inside
        return moved


def _refine(pitch_bins: float, frequencies: Reals, heights: Reals) -> float:
    """The pitch that best fits the first eight harmonics."""
    order = np.rint(frequencies / pitch_bins)
    near = (order >= 1) & (order <= 8) & (np.abs(frequencies - order * pitch_bins) < 0.2 * pitch_bins)
    weights = heights * near * order
    total = np.dot(weights, order)
    return float(np.dot(weights, frequencies) / total) if total > 0.0 else pitch_bins

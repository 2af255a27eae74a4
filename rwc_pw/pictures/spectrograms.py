"""Stacked spectrograms of a conversion's input and output."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.pictures.png import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAME_SAMPLES = 2048  # 43 ms: resolves the harmonics of a low voice
HOP_SAMPLES = 192
HIGHEST_HZ = 6000
RANGE_DB = 70


def draw_spectrograms(sounds: dict[str, Samples], scratch: Path) -> bytes:
    """A PNG with a spectrogram for each of ``sounds``, which are keyed by title and start together."""

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(len(sounds), sharex=True, squeeze=False)[:, 0]
        for panel, (title, sound) in zip(panels, sounds.items(), strict=True):
            levels_db = spectrogram_db(sound)
            seconds = len(sound) / SAMPLE_RATE_HZ
            panel.imshow(
                levels_db,
                origin="lower",
                aspect="auto",
                extent=(0, seconds, 0, HIGHEST_HZ / 1000),
                vmax=levels_db.max(),
                vmin=levels_db.max() - RANGE_DB,
                cmap="magma",
            )
            panel.set_title(title)
            panel.set_ylabel("Frequency (kHz)")
        panels[-1].set_xlabel("Time (s)")

    return png((11, 7), draw, scratch)


def spectrogram_db(sound: Samples) -> NDArray[np.float64]:
    """Levels up to ``HIGHEST_HZ``, (frequencies, times), 0 dB for a full-scale sine."""
    window = np.hanning(FRAME_SAMPLES)
    frames = sliding_window_view(np.pad(sound, FRAME_SAMPLES // 2), FRAME_SAMPLES)[::HOP_SAMPLES]
    magnitudes = np.abs(np.fft.rfft(frames * window)) * 2 / window.sum()
    bins = HIGHEST_HZ * FRAME_SAMPLES // SAMPLE_RATE_HZ
    levels: NDArray[np.float64] = 20 * np.log10(np.maximum(magnitudes[:, :bins], 1e-6)).T
    return levels

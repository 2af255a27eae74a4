"""Draws the figures of a bench as a chart."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rwc_pw.bench import ChunkFigures
from rwc_pw.engine.chunk_size import MOST_P99_LOAD
from rwc_pw.pictures.png import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_chart(found: Sequence[ChunkFigures], title: str, scratch: Path) -> bytes:
    """A PNG: the conversion time against the chunk's duration, and the delay where the machine keeps up."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        lengths_ms = [figures.chunk_ms for figures in found]
        kept_up = [figures for figures in found if figures.keeps_up]
        limits_ms = [MOST_P99_LOAD * length for length in lengths_ms]
        axes.plot(lengths_ms, limits_ms, "k--", label=f"{MOST_P99_LOAD:.0%} of the chunk")
        axes.plot(lengths_ms, [figures.median_ms for figures in found], "o-", label="conversion, median")
        axes.plot(lengths_ms, [figures.p99_ms for figures in found], "s-", label="conversion, 99 of 100")
        chunks_ms = [figures.chunk_ms for figures in kept_up]
        delays_ms = [figures.delay_ms for figures in kept_up]
        axes.plot(chunks_ms, delays_ms, "^-", label="microphone to app, where it keeps up")
        axes.set(title=title, xlabel="Chunk (ms)", ylabel="Time (ms)", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()

    return png((9, 6), draw, scratch)

"""The figures of a bench as a chart."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rwc_pw.bench import ChunkFigures
from rwc_pw.pictures.png import png
from rwc_pw.streaming.chunk_choice import HOLDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_chart(found: Sequence[ChunkFigures], title: str, scratch: Path) -> bytes:
    """A PNG: the time of a conversion over the length of its chunk, and the delay where that holds."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        lengths_ms = [figures.chunk_ms for figures in found]
        held = [figures for figures in found if figures.holds]
        axes.plot(lengths_ms, [HOLDS * length for length in lengths_ms], "k--", label=f"{HOLDS:.0%} of the chunk")
        axes.plot(lengths_ms, [figures.median_ms for figures in found], "o-", label="conversion, median")
        axes.plot(lengths_ms, [figures.p99_ms for figures in found], "s-", label="conversion, 99 of 100")
        delays_ms = [figures.delay_ms for figures in held]
        axes.plot([figures.chunk_ms for figures in held], delays_ms, "^-", label="microphone to app, where it holds")
        axes.set(title=title, xlabel="Chunk (ms)", ylabel="Time (ms)", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()

    return png((9, 6), draw, scratch)

"""Renders a matplotlib figure as a PNG."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(size_inches: tuple[float, float], draw: "Callable[[Figure], object]", scratch: Path) -> bytes:
    """A picture drawn by ``draw``; matplotlib's cache goes to ``scratch``, not into the user's home."""
    before = os.environ.get("MPLCONFIGDIR")
    os.environ["MPLCONFIGDIR"] = str(scratch)
    try:
        from matplotlib.figure import Figure

        figure = Figure(figsize=size_inches, layout="constrained")
        draw(figure)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110)
    finally:
        if before is None:
            del os.environ["MPLCONFIGDIR"]
        else:
            os.environ["MPLCONFIGDIR"] = before
    return drawn.getvalue()

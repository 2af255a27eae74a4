"""RWC Voice in a terminal: the engine with live meters; no bus is needed."""

import asyncio
import math

from rich.live import Live
from rich.table import Table

from rwc_pw.config import Config
from rwc_pw.desktop.paths import Paths
from rwc_pw.engine import VoiceEngine
from rwc_pw.pipewire.feeder import sole_feeder
from rwc_pw.pipewire.source import read_graph, remove_source
from rwc_pw.pipewire.transport import Levels
from rwc_pw.status import Status, describe
from rwc_pw.tasks import until_one_ends

REFRESH_S = 0.1
METER_FLOOR_DB = -60.0
METER_CELLS = 30


async def run(config: Config, paths: Paths) -> None:
    """Until cancelled; a microphone that was not there before goes with us.

    ``RwcPwError`` when another rwc-pw feeds RWC Voice already, ``UnavailableError`` without PipeWire.
    """
    with sole_feeder():  # nobody has it, or this says who to end
        pass
    was_there = bool((await read_graph()).voice_nodes())
    engine = VoiceEngine(config, paths, on_change=lambda: None)
    try:
        await until_one_ends(engine.run(), _show(engine))
    finally:
        if not was_there:
            await remove_source()


async def _show(engine: VoiceEngine) -> None:
    with Live(auto_refresh=False, transient=True) as live:
        while True:
            live.update(screen(engine.status(), engine.take_levels()), refresh=True)
            await asyncio.sleep(REFRESH_S)


def screen(status: Status, levels: Levels) -> Table:
    """One picture of the meters."""
    table = Table.grid(padding=(0, 2))
    for name, value in describe(status):
        table.add_row(name, value)
    table.add_row("In", meter(levels.captured))
    table.add_row("Out", meter(levels.played))
    return table


def meter(level: float) -> str:
    """A bar for a sample's size, ``METER_FLOOR_DB`` to 0 dBFS."""
    level_db = 20 * math.log10(level) if level > 0 else -math.inf
    cells = round(METER_CELLS * min(1.0, max(0.0, 1 - level_db / METER_FLOOR_DB)))
    number = f"{level_db:6.1f} dBFS" if level_db > METER_FLOOR_DB else "silence"
    return "█" * cells + "·" * (METER_CELLS - cells) + f" {number}"

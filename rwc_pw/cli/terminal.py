"""RWC Voice in a terminal: the engine with live meters, without the session bus."""

import asyncio
import contextlib
import math

from rich.live import Live
from rich.table import Table
from rich.text import Text

from rwc_pw.cli.printing import one_line
from rwc_pw.cli.shared import tell_who_keeps_it
from rwc_pw.config import Config
from rwc_pw.engine.engine import VoiceEngine
from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire.farewell import take_leave
from rwc_pw.pipewire.feeder import PATIENCE_S, sole_feeder
from rwc_pw.pipewire.source import read_graph
from rwc_pw.pipewire.transport import Levels
from rwc_pw.status import Status, describe
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends

REFRESH_S = 0.1
METER_FLOOR_DB = -60.0
METER_CELLS = 30


async def run(config: Config, paths: Paths) -> None:
    """Run until cancelled; remove RWC Voice afterwards, unless it is switched on anyway, once no app records it.

    ``RwcPwError`` if another rwc-pw already feeds RWC Voice, ``UnavailableError`` without PipeWire.
    """
    with sole_feeder(PATIENCE_S):  # fail early if another process has it
        await read_graph()
    engine = VoiceEngine(config, paths, on_change=lambda: None)
    try:
        await until_one_ends(engine.run(), _show(engine))
    finally:
        if not paths.drop_in.exists():
            with contextlib.suppress(RwcPwError):  # another rwc-pw feeds it by now
                tell_who_keeps_it(await take_leave())


async def _show(engine: VoiceEngine) -> None:
    with Live(auto_refresh=False, transient=True) as live:
        while True:
            live.update(screen(engine.status(), engine.take_levels()), refresh=True)
            await asyncio.sleep(REFRESH_S)


def screen(status: Status, levels: Levels) -> Table:
    """The status and the meters at this moment."""
    table = Table.grid(padding=(0, 2))
    for name, value in describe(status):
        table.add_row(name, Text(one_line(value)))
    table.add_row("In", meter(levels.captured))
    table.add_row("Out", meter(levels.played))
    return table


def meter(level: float) -> str:
    """A bar for a sample's magnitude, ``METER_FLOOR_DB`` to 0 dBFS."""
    level_db = 20 * math.log10(level) if level > 0 else -math.inf
    cells = round(METER_CELLS * min(1.0, max(0.0, 1 - level_db / METER_FLOOR_DB)))
    number = f"{level_db:6.1f} dBFS" if level_db > METER_FLOOR_DB else "silence"
    return "█" * cells + "·" * (METER_CELLS - cells) + f" {number}"

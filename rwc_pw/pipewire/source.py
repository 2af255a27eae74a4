"""The RWC Voice node in the running PipeWire, from outside the daemon."""

import asyncio

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.graph import Graph, GraphReader
from rwc_pw.pipewire.process import run

CHECKS = 6
CHECK_INTERVAL_S = 0.2


async def read_graph() -> Graph:
    """The current graph; ``UnavailableError`` if PipeWire does not run."""
    reader = GraphReader()
    for line in (await run(argv.GRAPH)).splitlines(keepends=True):
        if graph := reader.feed(line):
            return graph
    raise not_running()


def not_running() -> UnavailableError:
    """The error for a PipeWire that does not run, or no longer."""
    return UnavailableError("PipeWire is not running.", "Start it: `systemctl --user start pipewire`.")


async def remove_source() -> list[str]:
    """Remove RWC Voice from the running PipeWire, if one runs; return the apps that record it, for which it stays.

    If it went, the session manager would let them record the default microphone instead: the real voice.
    """
    try:
        for _ in range(CHECKS):
            graph = await read_graph()
            if not (listeners := graph.listeners()):
                break
            await asyncio.sleep(CHECK_INTERVAL_S)  # one that has just ended is listed for a moment
    except UnavailableError:
        return []
    if not listeners:
        for node in graph.voice_nodes():
            await run(argv.destroy(node.id))
    return [node.label for node in listeners]

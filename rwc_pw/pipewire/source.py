"""The node RWC Voice in the PipeWire that runs now, seen from outside the daemon."""

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.graph import Graph, GraphReader
from rwc_pw.pipewire.process import run


async def read_graph() -> Graph:
    """The graph at this moment; ``UnavailableError`` when PipeWire does not run."""
    reader = GraphReader()
    for line in (await run(argv.GRAPH)).splitlines(keepends=True):
        if graph := reader.feed(line):
            return graph
    raise UnavailableError("PipeWire is not running.", "Start it: `systemctl --user start pipewire`.")


async def remove_source() -> None:
    """Take RWC Voice out of the running PipeWire; without one there is nothing to do."""
    try:
        graph = await read_graph()
    except UnavailableError:
        return
    for node in graph.voice_nodes():
        await run(argv.destroy(node.id))

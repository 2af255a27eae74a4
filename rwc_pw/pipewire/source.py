"""The RWC Voice node in the running PipeWire: what is known of it, and the one way in which it goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.graph import Graph, GraphReader, Node
from rwc_pw.pipewire.process import run, start, terminate, wait_or_kill

CHECKS = 5
CHECK_INTERVAL_S = 0.3  # in which an app that has ended leaves the graph, and WirePlumber hears of what is suspended


async def read_graph() -> Graph:
    """The current graph; ``UnavailableError`` if PipeWire does not run."""
    reader = GraphReader()
    graphs = [reader.feed(line) for line in (await run(argv.GRAPH)).splitlines(keepends=True)]
    for graph in reversed(graphs):
        if graph:
            return graph
    raise not_running()


@asynccontextmanager
async def followed_graph() -> AsyncIterator[AsyncIterator[Graph]]:
    """The graph now and after each change; ``UnavailableError`` once PipeWire ends."""
    monitor = await start(argv.MONITOR_GRAPH, stdout=asyncio.subprocess.PIPE)
    try:
        yield _graphs(monitor)
    finally:
        terminate(monitor)
        await wait_or_kill(monitor)


async def _graphs(monitor: asyncio.subprocess.Process) -> AsyncIterator[Graph]:
    reader = GraphReader()
    async for line in cast(asyncio.StreamReader, monitor.stdout):
        if graph := reader.feed(line.decode(errors="replace")):
            yield graph
    raise not_running()


def not_running() -> UnavailableError:
    """The error for a PipeWire that does not run, or no longer."""
    return UnavailableError("PipeWire is not running.", "Start it: `systemctl --user start pipewire`.")


def removal(node: Node) -> list[str]:
    """The next command on the only way by which ``node`` goes, a RWC Voice to which nobody listens.

    WirePlumber up to 0.4 crashes if a node goes while it waits to suspend it.
    """
    return argv.destroy(node.id) if node.state == "suspended" else argv.suspend(node.id)


async def remove_source() -> list[str]:
    """Remove RWC Voice from the running PipeWire, if one runs; return the apps that record it, for which it stays.

    If it went, the session manager would let them record the default microphone instead: the real voice.
    """
    listeners: list[Node] = []
    try:
        for _ in range(CHECKS):
            graph = await read_graph()
            listeners = graph.listeners()
            if not listeners and await _removed(graph.voice_nodes()):
                break
            await asyncio.sleep(CHECK_INTERVAL_S)
    except UnavailableError:
        return []
    return [node.label for node in listeners]


async def _removed(nodes: list[Node]) -> bool:
    """Remove these nodes, to which nobody listens; False if they only can be a moment later."""
    for node in nodes:
        await run(removal(node))
    return all(node.state == "suspended" for node in nodes)

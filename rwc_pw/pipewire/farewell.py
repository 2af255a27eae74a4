"""Takes leave of RWC Voice: removes it, or leaves that to a process that waits until nobody listens any more.

That process needs neither bus nor daemon, nor any file of the program once it has begun: all that it imports is here.
"""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress

from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.feeder import PATIENCE_S, sole_farewell, sole_feeder
from rwc_pw.pipewire.graph import Graph
from rwc_pw.pipewire.process import run
from rwc_pw.pipewire.source import followed_graph, read_graph, remove_source


async def take_leave() -> list[str]:
    """Remove RWC Voice, now or once nobody listens any more; return the apps that listen, to silence.

    ``RwcPwError`` if another rwc-pw feeds it.
    """
    with sole_feeder(PATIENCE_S):  # else somebody else feeds it, who would create it again
        listeners = await remove_source()
    if listeners:
        _start()
    return listeners


def _start() -> None:
    command = [sys.executable, "-P", "-m", __name__]
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, cwd="/", start_new_session=True
    )
    assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
    with process.stdout:
        process.stdout.read()  # until it waits, or has ended


async def wait() -> None:
    """Remove RWC Voice once nobody listens to it, unless somebody feeds it again."""
    with sole_farewell():
        async with followed_graph() as graphs:
            await read_graph()  # with that, all that is ever needed has been loaded
            _tell_ready()
            async for graph in graphs:
                if _is_over(graph):
                    return
                for link in graph.foreign_feeds():
                    await run(argv.unlink(link.output_port_id, link.input_port_id))
                if not graph.listeners() and not await _remove():
                    return


async def _remove() -> list[str]:
    with sole_feeder():
        return await remove_source()


def _is_over(graph: Graph) -> bool:
    return not graph.voice_nodes() or any(node.is_ours for node in graph.feeders())


def _tell_ready() -> None:
    """Close the pipe to who started this process."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


if __name__ == "__main__":
    with suppress(RwcPwError):  # PipeWire has ended, or somebody feeds RWC Voice
        asyncio.run(wait())

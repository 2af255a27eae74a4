import asyncio
import contextlib
import errno
import json
import os
import signal
from pathlib import Path

import pytest

from rwc_pw.channels.downmix import Downmix
from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.connection import Connection
from rwc_pw.pipewire.graph import Graph, Node
from rwc_pw.pipewire.node_manager import NodeManager
from rwc_pw.pipewire.process import start, terminate, wait_or_kill
from rwc_pw.pipewire.source import _graphs
from rwc_pw.pipewire.streams import Streams
from rwc_pw.pipewire.supervision import Circumstances, NodeState
from rwc_pw.streaming import BufferConfig, IdentityBackend, StreamingPipeline
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.tasks import again_and_again

ODD = b"a" * 100_000 + b"\xe9"
"""Longer than a line that asyncio takes by itself, and no UTF-8."""


def test_a_property_may_be_of_any_length_and_of_any_bytes(tmp_path):
    core = {"id": 0, "type": "PipeWire:Interface:Core"}
    node = {"id": 7, "type": "PipeWire:Interface:Node", "info": {"props": {"node.name": "ODD"}}}
    dump = tmp_path / "dump"
    dump.write_bytes(json.dumps([core, node], indent=2).encode().replace(b"ODD", ODD) + b"\n")

    async def read() -> list[Graph]:
        monitor = await start(["cat", str(dump)], stdout=asyncio.subprocess.PIPE)
        graphs = []
        with contextlib.suppress(UnavailableError):
            async for graph in _graphs(monitor):
                graphs.append(graph)
        await monitor.wait()
        return graphs

    [graph] = asyncio.run(read())
    assert graph.nodes[7].name.startswith("aaa")


def test_only_streams_that_appeared_shorten_the_pause_before_the_next_try():
    voice = Node(1, "rwc_voice", "Audio/Source/Virtual", "idle")
    pipeline, backoff = StreamingPipeline(IdentityBackend(), BufferConfig()), Backoff(0.1, 1.0)
    streams = Streams(None, pipeline, 256, 1, Downmix())
    names = streams.own.capture, streams.own.playback
    ours = [Node(id, name, "", "suspended") for id, name in enumerate(names, start=2)]

    async def decided(*nodes: Node) -> None:
        graph, done = Graph({node.id: node for node in nodes}), asyncio.Event()
        connection = Connection(graph, Circumstances(), "", Downmix(), pipeline, 256)
        connection.adapt(Circumstances())
        supervising = asyncio.ensure_future(connection._supervise(streams, backoff, lambda _: done.set()))
        await done.wait()
        supervising.cancel()
        await asyncio.wait([supervising])

    backoff.next_s()
    asyncio.run(decided(voice))
    assert backoff.next_s() == 0.2
    asyncio.run(decided(voice, *ours))
    assert backoff.next_s() == 0.1


def test_no_tool_outlives_those_who_are_cancelled_while_they_wait_for_its_end():
    async def cancelled() -> list[int | None]:
        argv = ["sh", "-c", "trap '' TERM; echo; exec sleep 60"]
        tools = [await start(argv, stdout=asyncio.subprocess.PIPE) for _ in range(2)]
        for tool in tools:
            await tool.stdout.readline()
            terminate(tool)
        waiting = asyncio.ensure_future(wait_or_kill(*tools))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        return [tool.returncode for tool in tools]

    assert asyncio.run(cancelled()) == [-signal.SIGKILL] * 2


def test_a_tool_that_the_system_refuses_to_start_is_told(tmp_path):
    tool = tmp_path / "pw-dump"
    tool.touch(0o644)
    with pytest.raises(UnavailableError, match="pw-dump cannot be started: Permission denied"):
        asyncio.run(start([str(tool)]))


class Sleeping:
    """A pw-cat that carries nothing."""

    def capture(self, *_: object) -> list[str]:
        return ["sleep", "60"]

    playback = capture


@pytest.mark.parametrize("refused", ["pipe", "pipe2", "open", "eventfd"])
def test_where_no_descriptor_is_left_nothing_stays_open_and_the_reason_is_told(monkeypatch, refused):
    before = set(Path("/proc/self/fd").iterdir())
    pipeline = StreamingPipeline(IdentityBackend(), BufferConfig())
    told = asyncio.Queue()
    manager = NodeManager(pipeline, "", 256, told.put_nowait)
    real_open = os.open

    def refuse(*arguments: object) -> int:
        if refused == "open" and not str(arguments[0]).startswith("/proc/self/fd"):
            return real_open(*arguments)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def serve() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, refused, refuse)
            async with Streams(Sleeping(), pipeline, 256, 1, Downmix()):
                pytest.fail("it has begun")

    async def first_state() -> NodeState:
        serving = asyncio.ensure_future(again_and_again(serve, Backoff(0.1, 1.0), manager._note_failure))
        try:
            return await told.get()
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    assert asyncio.run(first_state()).fault.reason == "the system refuses: Too many open files"
    assert set(Path("/proc/self/fd").iterdir()) == before

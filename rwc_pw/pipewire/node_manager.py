"""Keeps RWC Voice fed: its node, two streams, their links, whatever comes and goes around them."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.default_source import DefaultSourceWatch
from rwc_pw.pipewire.feeder import sole_feeder
from rwc_pw.pipewire.graph import Graph, GraphReader, Node
from rwc_pw.pipewire.process import run, start, terminate, wait_or_kill
from rwc_pw.pipewire.streams import Streams
from rwc_pw.pipewire.transport import Transport
from rwc_pw.pipewire.wiring import choose_microphone, plan_wiring
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.tasks import until_one_ends

FIRST_RETRY_S = 0.1
CALM_S = 0.3  # after somebody has come or gone
SUSPEND_AFTER_S = 5.0  # as WirePlumber does with devices; at once, it would meet apps that stop and start within 10 ms
LONGEST_RETRY_S = 1.0  # sound has to be back two seconds after PipeWire is

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NodeState:
    """What the graph looks like from RWC Voice."""

    fault: str = "PipeWire has not answered yet"
    """Why no sound can flow; empty while it can."""
    microphone: str = ""
    """The node name of what is recorded, or would be."""
    listeners: tuple[str, ...] = ()
    muted: bool = False


class NodeManager:
    """Supervises everything that is ours in PipeWire; ``run`` until cancelled."""

    def __init__(
        self,
        pipeline: StreamingPipeline,
        source_properties: str,
        quantum: int,
        on_change: Callable[[NodeState], None],
    ) -> None:
        """``source_properties`` is the node of the drop-in, for a PipeWire that has not read it yet."""
        self._pipeline = pipeline
        self._source_properties = source_properties
        self._quantum = quantum
        self._on_change = on_change
        self._wanted_microphone = ""
        self._default_source = ""
        self._graph = Graph()
        self._changed = asyncio.Event()
        self._streams: Streams | None = None
        self._streams_seen = False
        self._idle_since_s: float | None = None
        self._source_requested = False
        self._destroyed_ids: set[int] = set()
        self._retry_s = FIRST_RETRY_S
        self._skipped_samples = 0  # by streams that have ended
        self.state = NodeState()

    @property
    def transport(self) -> Transport | None:
        return self._streams.transport if self._streams else None

    @property
    def skipped_samples(self) -> int:
        """Converted, but left out because the player had fallen behind."""
        return self._skipped_samples + (self.transport.skipped_samples if self.transport else 0)

    def choose(self, microphone: str) -> None:
        """Record from this source from now on; empty follows the default."""
        self._wanted_microphone = microphone
        self._changed.set()

    def renew_streams(self) -> None:
        """Make them again, so that nothing of their last sound is heard: a stream that pauses keeps it."""
        if self._streams:
            self._streams.end()

    def replace_pipeline(self, pipeline: StreamingPipeline) -> None:
        """Carry the sound through this one, already started, from the next block on."""
        self._pipeline = pipeline
        if self.transport:
            self.transport.pipeline = pipeline

    async def run(self) -> None:
        """Serve, and begin again when something ends: PipeWire, the session manager, a process of ours."""
        loop = asyncio.get_running_loop()
        self._watch = DefaultSourceWatch(lambda name: _soon(loop, self._note_default_source, name))
        self._watch.start()
        try:
            while True:
                await self._serve_until_it_fails()
                await asyncio.sleep(self._retry_s)
                self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
        finally:
            self._watch.stop()

    def _note_default_source(self, name: str) -> None:
        self._default_source = name
        self._changed.set()

    async def _serve_until_it_fails(self) -> None:
        try:
            await self._serve()
        except RwcPwError as error:
            log.warning("%s", error)
            self._set_state(NodeState(fault=error.message))

    async def _serve(self) -> None:
        pw_cat = argv.PwCat.probe(await run(["pw-cat", "--version"]), await run(["pw-cat", "--help"]))
        monitor = await start(argv.MONITOR_GRAPH, stdout=asyncio.subprocess.PIPE)
        try:
            graphs = _graphs(monitor)
            self._graph = await anext(graphs)
            self._source_requested = self._streams_seen = False
            self._idle_since_s = None
            self._destroyed_ids = set()
            with sole_feeder():
                await self._feed(pw_cat, graphs)
        finally:
            if self._streams:
                self._skipped_samples += self._streams.transport.skipped_samples
                self._streams = None
            terminate(monitor)
            await wait_or_kill(monitor)

    async def _feed(self, pw_cat: argv.PwCat, graphs: AsyncIterator[Graph]) -> None:
        async with Streams(pw_cat, self._pipeline, self._quantum) as streams:
            self._streams = streams
            streams.transport.pipeline = self._pipeline  # another may have come while the streams were started
            self._changed.set()
            await until_one_ends(self._follow(graphs), self._keep_wired(streams), streams.until_one_ends())

    async def _follow(self, graphs: AsyncIterator[Graph]) -> None:
        calm: asyncio.TimerHandle | None = None
        async for graph in graphs:
            if _others(graph) != _others(self._graph):
                if calm:
                    calm.cancel()
                calm = asyncio.get_running_loop().call_later(CALM_S, self._watch.check)
            if self._graph.has_session_manager and not graph.has_session_manager:
                # WirePlumber 0.4, started again, links nothing while there are nodes that were in use before
                for node in graph.voice_nodes():
                    await run(argv.destroy(node.id))
                raise UnavailableError("PipeWire's session manager has ended.", "All that is ours is made again.")
            self._graph = graph
            self._changed.set()

    async def _keep_wired(self, streams: Streams) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for command in self._needed_commands(self._graph, streams):
                await run(command)  # the graph tells what came of it

    def _needed_commands(self, graph: Graph, streams: Streams) -> list[list[str]]:
        microphone = choose_microphone(graph, self._wanted_microphone, (self._default_source, self.state.microphone))
        wiring = plan_wiring(graph, microphone, streams.capture_node, streams.playback_node)
        streams.transport.channels = max(1, wiring.channels)
        self._check_streams(graph, streams)
        sources = graph.voice_nodes()
        self._set_state(
            NodeState(
                fault=self._fault(sources, microphone),
                microphone=microphone.name if microphone else "",
                listeners=tuple(node.label for node in graph.listeners()),
                muted=any(node.muted for node in sources),
            )
        )
        return [
            *self._source_commands(sources),
            *(argv.link(*pair) for pair in wiring.create),
            *(argv.unlink(*pair) for pair in wiring.destroy),
            *(argv.suspend(node.id) for node in self._idle_for_long(graph, streams)),
        ]

    def _idle_for_long(self, graph: Graph, streams: Streams) -> list[Node]:
        """Our streams that nobody has needed for a while: the session manager suspends devices, but no streams.

        PipeWire's own ``node.suspend-on-idle`` would not do: a stream that an app starts, stops and starts at once
        (Chromium does) is then suspended while its link is negotiated, and carries silence from then on (0.3.65).
        """
        idle = [node for node in streams.nodes(graph) if node.state == "idle"]
        loop = asyncio.get_running_loop()
        if not idle:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = loop.time()
            loop.call_later(SUSPEND_AFTER_S, self._changed.set)
        elif loop.time() >= self._idle_since_s + SUSPEND_AFTER_S:
            return idle
        return []

    def _source_commands(self, sources: list[Node]) -> list[list[str]]:
        if sources:
            self._source_requested = False  # whoever takes it away, it is made again
            surplus = {node.id for node in sources[1:]}
            asked, self._destroyed_ids = self._destroyed_ids, surplus
            return [argv.destroy(id) for id in surplus - asked]  # once: its id may soon be another object's
        if self._source_requested:
            return []
        self._source_requested = True
        return [argv.create_source(self._source_properties)]

    def _check_streams(self, graph: Graph, streams: Streams) -> None:
        """A pw-cat whose node was destroyed hangs silently (0.3.65), so it is the node that we watch."""
        present = len(streams.nodes(graph)) == 2
        if self._streams_seen and not present:
            raise UnavailableError("A stream of ours was removed from PipeWire's graph.", "It is made again.")
        self._streams_seen = present
        if present:
            self._retry_s = FIRST_RETRY_S

    def _fault(self, sources: list[Node], microphone: Node | None) -> str:
        if not sources:
            return "PipeWire has no RWC Voice yet"
        if not self._streams_seen:
            return "our streams are not in PipeWire's graph yet"
        if microphone:
            return ""
        if self._wanted_microphone:
            return f"the microphone {self._wanted_microphone} is not connected"
        return "there is no microphone"

    def _set_state(self, state: NodeState) -> None:
        if state != self.state:
            self.state = state
            self._on_change(state)


async def _graphs(monitor: asyncio.subprocess.Process) -> AsyncIterator[Graph]:
    """The graph after each change, until PipeWire ends: then ``UnavailableError``."""
    reader = GraphReader()
    async for line in cast(asyncio.StreamReader, monitor.stdout):
        if graph := reader.feed(line.decode(errors="replace")):
            yield graph
    raise UnavailableError("PipeWire is not running.", "Start it: `systemctl --user start pipewire`.")


def _others(graph: Graph) -> tuple[set[int], set[tuple[int, str]]]:
    """The nodes, and the clients known to be of other processes."""
    ours = {"", str(os.getpid())}
    return set(graph.nodes), {client for client in graph.client_processes if client[1] not in ours}


def _soon(loop: asyncio.AbstractEventLoop, action: Callable[[str], None], argument: str) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed
        loop.call_soon_threadsafe(action, argument)

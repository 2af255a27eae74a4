"""One running PipeWire: follows its graph, keeps our streams in it, and carries out what the supervision decides."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from functools import partial

from rwc_pw.channels.downmix import Downmix
from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.flow import LOOK_S, Flow
from rwc_pw.pipewire.graph import Graph
from rwc_pw.pipewire.process import run
from rwc_pw.pipewire.pw_cat import PwCat, recorded_channels
from rwc_pw.pipewire.session_manager import SessionManagerWatch
from rwc_pw.pipewire.streams import Streams
from rwc_pw.pipewire.supervision import Circumstances, NodeState, Supervision
from rwc_pw.pipewire.unlinked import wanting
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.tasks import again_and_again, until_one_ends

CALM_S = 0.3  # after somebody has come or gone


class Connection:
    """Feeds RWC Voice in the PipeWire that runs; ``run`` lasts until that ends."""

    def __init__(
        self,
        graph: Graph,
        circumstances: Circumstances,
        source_properties: str,
        downmix: Downmix,
        pipeline: StreamingPipeline,
        quantum: int,
    ) -> None:
        """``source_properties`` describes the drop-in's node, for a PipeWire that has not read the drop-in yet."""
        self._graph = graph
        self._circumstances = circumstances
        self._supervision = Supervision(source_properties, downmix)
        self._downmix = downmix
        self._pipeline = pipeline
        self._quantum = quantum
        self._streams: Streams | None = None
        self._skipped_samples = 0  # by streams that have ended
        self._changed = asyncio.Event()
        self._look_again: asyncio.TimerHandle | None = None
        self._is_to_flow = asyncio.Event()
        self._manager_ended = asyncio.Event()

    @property
    def streams(self) -> Streams | None:
        """Our streams, while they run."""
        return self._streams

    @property
    def skipped_samples(self) -> int:
        """Number of samples that were converted, but skipped because the player had fallen behind."""
        return self._skipped_samples + (self._streams.transport.skipped_samples if self._streams else 0)

    def adapt(self, circumstances: Circumstances) -> None:
        """Decide anew under these circumstances."""
        self._circumstances = circumstances
        self._changed.set()

    def replace_pipeline(self, pipeline: StreamingPipeline) -> None:
        """Use this pipeline, already started, from the next block on."""
        self._pipeline = pipeline
        if self._streams:
            self._streams.transport.pipeline = pipeline

    async def run(
        self,
        graphs: AsyncIterator[Graph],
        pw_cat: PwCat,
        backoff: Backoff,
        *,
        on_state: Callable[[NodeState], None],
        on_failure: Callable[[RwcPwError | OSError], None],
        on_calm: Callable[[], None],
    ) -> None:
        """Follow ``graphs``, and make the streams anew whenever they fail, which ``on_failure`` is told.

        ``on_calm`` is called a moment after others have come or gone.
        """
        feed = partial(self._feed, pw_cat, backoff, on_state)
        await until_one_ends(self._follow(graphs, on_calm), again_and_again(feed, backoff, on_failure))

    async def _follow(self, graphs: AsyncIterator[Graph], on_calm: Callable[[], None]) -> None:
        managers = SessionManagerWatch()
        await self._note_managers(managers, self._graph)
        calm: asyncio.TimerHandle | None = None
        async for graph in graphs:
            if _others(graph) != _others(self._graph):
                if calm:
                    calm.cancel()
                calm = asyncio.get_running_loop().call_later(CALM_S, on_calm)
            await self._note_managers(managers, graph)
            self._graph = graph
            self._changed.set()

    async def _note_managers(self, managers: SessionManagerWatch, graph: Graph) -> None:
        if not managers.observe(graph):
            return
        if managers.forgets_ports:
            before = self._graph
            asking = wanting(before, self._circumstances.default_source)
            nodes = [*before.voice_nodes(), *before.listeners(), *asking]
            with_ports = {port.node_id for port in before.ports}  # of others, the next one must not be disturbed
            await _make_ports_new({node.id for node in nodes} & with_ports)
        self._manager_ended.set()

    async def _feed(self, pw_cat: PwCat, backoff: Backoff, on_state: Callable[[NodeState], None]) -> None:
        self._supervision.begin_streams()
        self._manager_ended.clear()
        channels = recorded_channels(self._supervision.channels(self._graph, self._circumstances))
        try:
            async with Streams(pw_cat, self._pipeline, self._quantum, channels, self._downmix) as streams:
                self._streams = streams
                streams.transport.pipeline = self._pipeline  # it may have been replaced while the streams were starting
                self._changed.set()
                self._supervision.flow.begin()
                await until_one_ends(
                    self._supervise(streams, backoff, on_state),
                    self._watch_flow(streams),
                    streams.until_one_ends(),
                    self._until_manager_ends(),
                )
        finally:
            if self._streams:
                self._skipped_samples += self._streams.transport.skipped_samples
                self._streams = None

    async def _supervise(self, streams: Streams, backoff: Backoff, on_state: Callable[[NodeState], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._changed.wait()
            self._changed.clear()
            decision = self._supervision.decide(self._graph, streams.own, self._circumstances, loop.time())
            if self._supervision.has_streams:
                backoff.reset()
            self._look_again_at(decision.look_again_s)
            if decision.is_to_flow:
                self._is_to_flow.set()
            else:
                self._is_to_flow.clear()
            on_state(decision.state)
            for command in decision.commands:
                await run(command)  # the graph shows the result

    def _look_again_at(self, moment_s: float | None) -> None:
        if self._look_again:
            self._look_again.cancel()
        loop = asyncio.get_running_loop()
        self._look_again = None if moment_s is None else loop.call_at(moment_s, self._changed.set)

    async def _watch_flow(self, streams: Streams) -> None:
        transport, watch = streams.transport, self._supervision.flow
        while True:
            await self._is_to_flow.wait()
            unserved = self._graph.unserved_listeners()
            flow = Flow(transport.captured_samples, transport.taken_samples, unserved[0].label if unserved else "")
            before = watch.fault, watch.flows
            if watch.observe(flow, asyncio.get_running_loop().time()) and (fault := watch.fault):
                raise UnavailableError(f"{fault.reason}.", fault.remedy)
            if before != (watch.fault, watch.flows):
                self._changed.set()
            await asyncio.sleep(LOOK_S)

    async def _until_manager_ends(self) -> None:
        await self._manager_ended.wait()
        raise UnavailableError("PipeWire's session manager has ended.", "Our streams are made again by themselves.")


async def _make_ports_new(node_ids: set[int]) -> None:
    """Let a session manager that starts find nodes without ports, as if they were new.

    Destroyed and made again, RWC Voice would do, too, but its listeners would be given the real microphone.
    """
    await asyncio.gather(*(run(argv.suspend(id)) for id in node_ids))
    await asyncio.gather(*(run(argv.forget_ports(id)) for id in node_ids))


def _others(graph: Graph) -> tuple[set[int], set[tuple[int, str]]]:
    """The nodes, and the clients known to belong to other processes."""
    ours = {"", str(os.getpid())}
    return set(graph.nodes), {client for client in graph.client_processes if client[1] not in ours}

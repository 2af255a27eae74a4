"""Keeps RWC Voice fed: its node, two streams and their links, whatever comes and goes around them."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from rwc_pw.channels.downmix import Downmix, Wanted
from rwc_pw.channels.options import AUTO, MOST_CHANNELS, channels_of
from rwc_pw.errors import Fault, RwcPwError, UnavailableError, fault_of
from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.default_source import DefaultSourceWatch
from rwc_pw.pipewire.displaced import DisplacedApps
from rwc_pw.pipewire.feeder import Lock, sole_feeder
from rwc_pw.pipewire.flow import LOOK_S, Flow, FlowWatch
from rwc_pw.pipewire.graph import Graph, Node
from rwc_pw.pipewire.inputs import choose_microphone
from rwc_pw.pipewire.link_limit import LinkLimit
from rwc_pw.pipewire.process import run
from rwc_pw.pipewire.pw_cat import PwCat, installed_pw_cat, recorded_channels
from rwc_pw.pipewire.session_manager import SessionManagerWatch
from rwc_pw.pipewire.source import followed_graph, removal
from rwc_pw.pipewire.streams import Streams
from rwc_pw.pipewire.transport import Transport
from rwc_pw.pipewire.unlinked import UnlinkedApps, wanting
from rwc_pw.pipewire.volumes import REST_S, VolumeKeeper, silence_in, turned_down
from rwc_pw.pipewire.wiring import channel_fault, fault_in, intrusion_in, plan_wiring
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.tasks import until_one_ends

FIRST_RETRY_S = 0.1
CALM_S = 0.3  # after somebody has come or gone
SUSPEND_AFTER_S = 5.0  # as WirePlumber does for devices; at once would hit apps that stop and start within 10 ms
LONGEST_RETRY_S = 1.0  # sound must be back within two seconds of PipeWire
INTRUSION_TOLD_S = 10.0
LOOK_AGAIN_S = 1.0  # whether links last by now, or have been made, and apps have been moved back
MOST_LINKS = 4  # at once; the graph shows them, and then come the next, unless something else is more urgent
NO_ANSWER_YET = Fault("PipeWire has not answered yet")
NO_SERVER_YET = Fault(
    "pipewire-pulse has not answered yet", "If it stays so: `systemctl --user restart pipewire-pulse`."
)
LINKS_REMOVED = Fault(
    "another program removes the links of RWC Voice each time", "Switch off the exclusive mode of your patchbay."
)

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NodeState:
    """The graph, as far as it concerns RWC Voice."""

    fault: Fault | None = NO_ANSWER_YET
    """The reason why no sound can flow; None if it can."""
    microphone: str = ""
    """The node name of the microphone that is recorded, or would be."""
    channels: int = 0
    """Number of its channels."""
    listeners: tuple[str, ...] = ()
    flows: bool = False
    """True if a listener gets sound."""
    muted: bool = False
    turned_down: tuple[Fault, ...] = ()
    """Volumes below 100 % on the way from the microphone to the listeners."""


class NodeManager:
    """Supervises everything of ours in PipeWire; ``run`` lasts until cancelled."""

    def __init__(
        self,
        pipeline: StreamingPipeline,
        source_properties: str,
        quantum: int,
        on_change: Callable[[NodeState], None],
    ) -> None:
        """``source_properties`` describes the drop-in's node, for a PipeWire that has not read the drop-in yet."""
        self._pipeline = pipeline
        self._source_properties = source_properties
        self._quantum = quantum
        self._on_change = on_change
        self._wanted_microphone = ""
        self._wanted_channel = AUTO
        self._downmix = Downmix()
        self._default_source = ""
        self._server_fault: Fault | None = NO_SERVER_YET
        self._lock: Lock | None = None
        self._graph = Graph()
        self._changed = asyncio.Event()
        self._streams: Streams | None = None
        self._streams_seen = False
        self._manager_ended = asyncio.Event()
        self._idle_since_s: float | None = None
        self._flow = FlowWatch()
        self._listening = asyncio.Event()
        self._volumes = VolumeKeeper()
        self._link_limit = LinkLimit()
        self._displaced = DisplacedApps()
        self._unlinked = UnlinkedApps()
        self._intruded: tuple[Fault | None, float] = None, 0.0
        self._look_again: asyncio.TimerHandle | None = None
        self._source_requested = False
        self._destroyed_ids: set[int] = set()
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._skipped_samples = 0  # by streams that have ended
        self.state = NodeState()

    @property
    def transport(self) -> Transport | None:
        return self._streams.transport if self._streams else None

    @property
    def skipped_samples(self) -> int:
        """Converted, but skipped because the player had fallen behind."""
        return self._skipped_samples + (self.transport.skipped_samples if self.transport else 0)

    def was_asked_to_give_way(self) -> bool:
        """Return whether another rwc-pw has wanted to feed RWC Voice, or to remove it, since the last call."""
        return self._lock is not None and self._lock.was_asked_for()

    @property
    def channel(self) -> str:
        """The microphone's channel that is taken, from 1, or ``mix``; empty if it has only one, or none is chosen."""
        return self._downmix.told

    def choose(self, microphone: str, channel: str) -> None:
        """Record from this source and channel from now on; an empty source follows the default."""
        self._wanted_microphone, self._wanted_channel = microphone, channel
        self._changed.set()

    def pin_volume(self, pinned: bool) -> None:
        """Keep RWC Voice at 100 %, whoever turns it down."""
        self._volumes.pinned = pinned
        self._changed.set()

    def renew_streams(self) -> None:
        """Create the streams again, so that none of their last sound is heard: a paused stream keeps it."""
        if self._streams:
            self._streams.kill()

    def replace_pipeline(self, pipeline: StreamingPipeline) -> None:
        """Use this pipeline, already started, from the next block on."""
        self._pipeline = pipeline
        if self.transport:
            self.transport.pipeline = pipeline

    async def run(self) -> None:
        """Serve, and start again if PipeWire, the session manager or one of our processes ends."""
        loop = asyncio.get_running_loop()
        self._watch = DefaultSourceWatch(
            lambda name: _soon(loop, self._note_default_source, name),
            lambda fault: _soon(loop, self._note_server_fault, fault),
        )
        self._watch.start()
        try:
            await self._again_and_again(self._serve)
        finally:
            self._watch.stop()

    def _note_default_source(self, name: str) -> None:
        self._default_source, self._server_fault = name, None
        self._changed.set()

    def _note_server_fault(self, fault: Fault) -> None:
        if fault != self._server_fault:  # else it is the next of many attempts
            self._server_fault = fault
            self._changed.set()

    async def _again_and_again(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Begin again after each failure, and tell it; never return."""
        while True:
            try:
                await serve()
            except (RwcPwError, OSError) as error:  # no descriptors may be left, for example
                fault = fault_of(error)
                if fault != self.state.fault:  # else it is the next of many attempts
                    log.warning("%s", error)
                self._set_state(NodeState(fault=fault))
            await asyncio.sleep(self._backoff.next_s())

    async def _serve(self) -> None:
        try:
            with sole_feeder() as self._lock:
                async with followed_graph() as graphs:
                    self._graph = await anext(graphs)
                    feed = partial(self._feed, await installed_pw_cat())
                    await until_one_ends(self._follow(graphs), self._again_and_again(feed))
        finally:
            self._lock = None

    async def _feed(self, pw_cat: PwCat) -> None:
        self._source_requested = self._streams_seen = False
        self._idle_since_s = None
        self._manager_ended.clear()
        channels = recorded_channels(self._note_microphone(self._graph, self._microphone_in(self._graph)))
        try:
            async with Streams(pw_cat, self._pipeline, self._quantum, channels, self._downmix) as streams:
                self._streams = streams
                streams.transport.pipeline = self._pipeline  # it may have been replaced while the streams were starting
                self._changed.set()
                self._flow.begin()
                await until_one_ends(
                    self._keep_wired(streams),
                    self._watch_flow(streams),
                    streams.until_one_ends(),
                    self._until_manager_ends(),
                )
        finally:
            if self._streams:
                self._skipped_samples += self._streams.transport.skipped_samples
                self._streams = None

    async def _follow(self, graphs: AsyncIterator[Graph]) -> None:
        managers = SessionManagerWatch()
        await self._note_managers(managers, self._graph)
        calm: asyncio.TimerHandle | None = None
        async for graph in graphs:
            if _others(graph) != _others(self._graph):
                if calm:
                    calm.cancel()
                calm = asyncio.get_running_loop().call_later(CALM_S, self._watch.check)
            await self._note_managers(managers, graph)
            self._graph = graph
            self._changed.set()

    async def _note_managers(self, managers: SessionManagerWatch, graph: Graph) -> None:
        if not managers.observe(graph):
            return
        if managers.forgets_ports:
            before = self._graph
            nodes = [*before.voice_nodes(), *before.listeners(), *wanting(before, self._default_source)]
            with_ports = {port.node_id for port in before.ports}  # of others, the next one must not be disturbed
            await _make_ports_new({node.id for node in nodes} & with_ports)
        self._manager_ended.set()

    async def _until_manager_ends(self) -> None:
        await self._manager_ended.wait()
        raise UnavailableError("PipeWire's session manager has ended.", "All that is ours is made again.")

    async def _keep_wired(self, streams: Streams) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for command in self._needed_commands(self._graph, streams):
                await run(command)  # the graph shows the result

    async def _watch_flow(self, streams: Streams) -> None:
        while True:
            await self._listening.wait()
            transport = streams.transport
            unserved = self._graph.unserved_listeners()
            flow = Flow(transport.captured_samples, transport.taken_samples, unserved[0].label if unserved else "")
            before = self._flow.fault, self._flow.flows
            if self._flow.observe(flow, asyncio.get_running_loop().time()) and (fault := self._flow.fault):
                raise UnavailableError(f"{fault.reason}.", fault.remedy)
            if before != (self._flow.fault, self._flow.flows):
                self._changed.set()
            await asyncio.sleep(LOOK_S)

    def _needed_commands(self, graph: Graph, streams: Streams) -> list[list[str]]:
        microphone = self._microphone_in(graph)
        channels = self._note_microphone(graph, microphone)
        if channels > streams.channels:
            raise UnavailableError("The microphone has more channels than the one before.", "It is made room for.")
        likeliest = self._downmix.likeliest
        linked = sorted(channels_of(self._wanted_channel), key=lambda channel: channel != likeliest)
        wiring = plan_wiring(graph, microphone, streams.capture_node, streams.playback_node, linked)
        self._check_streams(graph, streams)
        sources = graph.voice_nodes()
        create, destroy = wiring.create[:MOST_LINKS], wiring.destroy[:MOST_LINKS]
        loop = asyncio.get_running_loop()
        links = self._link_limit.allow(create, destroy, loop.time())
        moved = self._displaced.observe(graph, loop.time())
        unlinked = self._unlinked.observe(graph, self._default_source, loop.time())
        fault = (
            self._displaced.fault(graph)
            or self._intrusion(graph, streams)
            or fault_in(graph, microphone, self._wanted_microphone, self._streams_seen)
            or channel_fault(graph, microphone, self._wanted_channel)
            or (LINKS_REMOVED if self._link_limit.is_reached else None)
            or unlinked
            or self._server_fault
        )
        if self._link_limit.is_reached or self._unlinked.are_any or self._displaced.are_to_be_moved:
            if self._look_again:
                self._look_again.cancel()
            self._look_again = loop.call_later(LOOK_AGAIN_S, self._changed.set)
        self._note_listening(is_heard=graph.is_heard(), may_flow=not fault)
        self._set_state(
            NodeState(
                fault=fault or self._flow.fault or silence_in(graph, microphone),
                microphone=microphone.name if microphone else "",
                channels=channels if microphone else 0,
                listeners=tuple(node.label for node in graph.listeners()),
                flows=self._flow.flows,
                muted=any(node.muted for node in sources),
                turned_down=turned_down(graph, microphone),
            )
        )
        return [
            *(argv.unlink(*pair) for pair in destroy),
            *self._source_commands(graph),
            *(argv.move(node.id, SOURCE_NODE) for node in moved),
            *(argv.link(*pair) for pair in links),
            *self._volume_commands(graph),
            *(argv.suspend(node.id) for node in self._idle_for_long(graph, streams)),
        ]

    def _note_listening(self, *, is_heard: bool, may_flow: bool) -> None:
        if is_heard and may_flow:
            self._listening.set()
            return
        self._listening.clear()
        if is_heard:
            self._flow.begin()
        else:
            self._flow.rest()

    def _volume_commands(self, graph: Graph) -> list[list[str]]:
        loop = asyncio.get_running_loop()
        wrong = self._volumes.wrong(graph, loop.time())
        if wrong:
            loop.call_later(REST_S, self._changed.set)  # whether they have been set right
        unmuted = [argv.unmute(node.id) for node in wrong if node.name != SOURCE_NODE]
        return [*unmuted, *(argv.turn_up(node.id, len(node.channel_percents)) for node in wrong)]

    def _microphone_in(self, graph: Graph) -> Node | None:
        return choose_microphone(graph, self._wanted_microphone, (self._default_source, self.state.microphone))

    def _note_microphone(self, graph: Graph, microphone: Node | None) -> int:
        """Tell who makes one channel of its channels; return how many are recorded."""
        ports = graph.ports_of(microphone, "out") if microphone else []
        channels = min(max(1, len(ports)), MOST_CHANNELS)
        serial = (microphone.id, microphone.props.get("object.serial")) if microphone else (0, None)
        wanted = Wanted(self._wanted_channel, serial, channels)
        if wanted != self._downmix.wanted:
            self._downmix.wanted = wanted
        return channels

    def _intrusion(self, graph: Graph, streams: Streams) -> Fault | None:
        """A link past the converter, which is told for a while after its removal."""
        loop = asyncio.get_running_loop()
        if found := intrusion_in(graph, streams.capture_node):
            self._intruded = found, loop.time() + INTRUSION_TOLD_S
            loop.call_later(INTRUSION_TOLD_S, self._changed.set)
        fault, until_s = self._intruded
        return fault if loop.time() < until_s else None

    def _idle_for_long(self, graph: Graph, streams: Streams) -> list[Node]:
        """Our streams that have been idle for a while: the session manager suspends devices, but not streams.

        PipeWire's own ``node.suspend-on-idle`` would not do: if an app starts, stops and starts a stream at once
        (Chromium does), it is suspended while its link is negotiated, and carries silence from then on (0.3.65).
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

    def _source_commands(self, graph: Graph) -> list[list[str]]:
        if graph.voice_nodes():
            self._source_requested = False  # if it is removed later, it is created again
            surplus = graph.surplus_voice_nodes()
            self._destroyed_ids &= {node.id for node in surplus}
            commands = [removal(node) for node in surplus if node.id not in self._destroyed_ids]
            # only once: its id may soon be another object's
            self._destroyed_ids |= {node.id for node in surplus if node.state == "suspended"}
            return commands
        if self._source_requested:
            return []
        self._source_requested = True
        return [argv.create_source(self._source_properties)]

    def _check_streams(self, graph: Graph, streams: Streams) -> None:
        """Watch the nodes, not the processes: a pw-cat whose node was destroyed hangs silently (0.3.65)."""
        present = len(streams.nodes(graph)) == 2
        if self._streams_seen and not present:
            raise UnavailableError("A stream of ours was removed from PipeWire's graph.", "It is made again.")
        self._streams_seen = present
        if present:
            self._backoff.reset()

    def _set_state(self, state: NodeState) -> None:
        if state != self.state:
            self.state = state
            self._on_change(state)


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


def _soon(loop: asyncio.AbstractEventLoop, action: Callable[[T], None], argument: T) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed
        loop.call_soon_threadsafe(action, argument)

"""Decisions about RWC Voice, our streams and their links: pure, from the graph at one moment and the ones before it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rwc_pw.channels.downmix import Downmix, Wanted
from rwc_pw.channels.options import AUTO, MOST_CHANNELS, channels_of
from rwc_pw.errors import Fault, UnavailableError
from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.displaced import DisplacedApps
from rwc_pw.pipewire.flow import FlowWatch
from rwc_pw.pipewire.graph import Graph, Node
from rwc_pw.pipewire.idle import IdleWatch
from rwc_pw.pipewire.inputs import choose_microphone
from rwc_pw.pipewire.link_limit import LinkLimit
from rwc_pw.pipewire.source_keeper import SourceKeeper
from rwc_pw.pipewire.unlinked import UnlinkedApps
from rwc_pw.pipewire.volumes import VolumeKeeper, silence_in, turned_down
from rwc_pw.pipewire.wiring import channel_fault, fault_in, intrusion_in, plan_wiring

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


@dataclass(frozen=True)
class Circumstances:
    """The user's wishes, and what pipewire-pulse reports."""

    microphone: str = ""
    """The input that the user has chosen; empty to follow the default source."""
    channel: str = AUTO
    pin_volume: bool = False
    """True if RWC Voice is kept at 100 %, whoever turns it down."""
    default_source: str = ""
    server_fault: Fault | None = NO_SERVER_YET
    """The reason why apps do not list PipeWire's nodes; None if they do."""


@dataclass(frozen=True)
class OwnStreams:
    """Names of our two streams' nodes, and the number of channels that are recorded."""

    capture: str
    playback: str
    channels: int

    def nodes(self, graph: Graph) -> list[Node]:
        """Those of the two that are in the graph."""
        return [node for name in (self.capture, self.playback) for node in graph.named(name)[-1:]]


@dataclass(frozen=True)
class Decision:
    """Commands to run now, and the state to report."""

    commands: list[list[str]]
    """Command lines, the most urgent first; the graph shows their results."""
    state: NodeState
    is_to_flow: bool
    """True if an app records, and nothing is known that keeps sound from flowing: the flow is to be watched."""
    look_again_s: float | None
    """The moment at which to decide again even if the graph stays as it is; None if there is none."""


class Supervision:
    """Decides, for one running PipeWire, what to create, link, move, turn up, suspend or destroy next."""

    def __init__(self, source_properties: str, downmix: Downmix) -> None:
        """``source_properties`` describes the drop-in's node, for a PipeWire that has not read the drop-in yet."""
        self.flow = FlowWatch()
        self.has_streams = False
        """True if both streams have appeared in the graph."""
        self._source = SourceKeeper(source_properties)
        self._idle = IdleWatch()
        self._downmix = downmix
        self._microphone = ""
        self._volumes = VolumeKeeper()
        self._link_limit = LinkLimit()
        self._displaced = DisplacedApps()
        self._unlinked = UnlinkedApps()
        self._intrusion: tuple[Fault | None, float] = None, 0.0
        """The last link past the converter, and until when it is told."""

    def begin_streams(self) -> None:
        """Expect new streams of ours."""
        self.has_streams = False
        self._source.begin()
        self._idle.begin()
        self.flow.begin()

    def channels(self, graph: Graph, circumstances: Circumstances) -> int:
        """Number of channels to record of the microphone; tells the downmix what they are."""
        return self._note_microphone(graph, self._choose_microphone(graph, circumstances), circumstances)

    def decide(self, graph: Graph, streams: OwnStreams, circumstances: Circumstances, now_s: float) -> Decision:
        """Decide from the graph at ``now_s``; ``UnavailableError`` if the streams have to be made anew."""
        microphone = self._choose_microphone(graph, circumstances)
        channels = self._note_microphone(graph, microphone, circumstances)
        if channels > streams.channels:
            raise UnavailableError(
                "The microphone has more channels than the one before.", "The recorder is started again for them."
            )
        likeliest = self._downmix.likeliest
        linked = sorted(channels_of(circumstances.channel), key=lambda channel: channel != likeliest)
        wiring = plan_wiring(graph, microphone, streams.capture, streams.playback, linked)
        self._check_streams(graph, streams)
        create, destroy = wiring.create[:MOST_LINKS], wiring.destroy[:MOST_LINKS]
        links = self._link_limit.allow(create, destroy, now_s)
        moved = self._displaced.observe(graph, now_s)
        fault = self._fault(graph, streams, microphone, circumstances, now_s)
        is_heard = graph.is_heard()
        self._note_listening(is_heard=is_heard, may_flow=not fault)
        self._volumes.pinned = circumstances.pin_volume
        commands = [
            *(argv.unlink(*pair) for pair in destroy),
            *self._source.commands(graph),
            *(argv.move(node.id, SOURCE_NODE) for node in moved),
            *(argv.link(*pair) for pair in links),
            *_volume_commands(self._volumes.wrong(graph, now_s)),
            *(argv.suspend(node.id) for node in self._idle.observe(streams.nodes(graph), now_s)),
        ]
        state = NodeState(
            fault=fault or self.flow.fault or silence_in(graph, microphone),
            microphone=self._microphone,
            channels=channels if microphone else 0,
            listeners=tuple(node.label for node in graph.listeners()),
            flows=self.flow.flows,
            muted=any(node.muted for node in graph.voice_nodes()),
            turned_down=turned_down(graph, microphone),
        )
        return Decision(commands, state, is_heard and not fault, self._look_again_s(now_s))

    def _choose_microphone(self, graph: Graph, circumstances: Circumstances) -> Node | None:
        return choose_microphone(graph, circumstances.microphone, (circumstances.default_source, self._microphone))

    def _note_microphone(self, graph: Graph, microphone: Node | None, circumstances: Circumstances) -> int:
        self._microphone = microphone.name if microphone else ""
        ports = graph.ports_of(microphone, "out") if microphone else []
        channels = min(max(1, len(ports)), MOST_CHANNELS)
        serial = (microphone.id, microphone.props.get("object.serial")) if microphone else (0, None)
        wanted = Wanted(circumstances.channel, serial, channels)
        if wanted != self._downmix.wanted:
            self._downmix.wanted = wanted
        return channels

    def _check_streams(self, graph: Graph, streams: OwnStreams) -> None:
        """Watch the nodes, not the processes: a pw-cat whose node was destroyed hangs silently (0.3.65)."""
        present = len(streams.nodes(graph)) == 2
        if self.has_streams and not present:
            raise UnavailableError("A stream of ours was removed from PipeWire's graph.", "It is made again.")
        self.has_streams = present

    def _note_listening(self, *, is_heard: bool, may_flow: bool) -> None:
        if not is_heard:
            self.flow.rest()
        elif not may_flow:
            self.flow.begin()

    def _fault(
        self,
        graph: Graph,
        streams: OwnStreams,
        microphone: Node | None,
        circumstances: Circumstances,
        now_s: float,
    ) -> Fault | None:
        unlinked = self._unlinked.observe(graph, circumstances.default_source, now_s)
        return (
            self._displaced.fault(graph)
            or self._recent_intrusion(graph, streams, now_s)
            or fault_in(graph, microphone, circumstances.microphone, self.has_streams)
            or channel_fault(graph, microphone, circumstances.channel)
            or (LINKS_REMOVED if self._link_limit.is_reached else None)
            or unlinked
            or circumstances.server_fault
        )

    def _recent_intrusion(self, graph: Graph, streams: OwnStreams, now_s: float) -> Fault | None:
        """A link past the converter, which is told for a while after its removal."""
        if found := intrusion_in(graph, streams.capture):
            self._intrusion = found, now_s + INTRUSION_TOLD_S
        fault, until_s = self._intrusion
        return fault if now_s < until_s else None

    def _look_again_s(self, now_s: float) -> float | None:
        moments_s = [self._intrusion[1], *self._volumes.next_looks_s]
        if self._link_limit.is_reached or self._unlinked.are_any or self._displaced.are_to_be_moved:
            moments_s.append(now_s + LOOK_AGAIN_S)
        if (idle_s := self._idle.next_look_s) is not None:
            moments_s.append(idle_s)
        return min((moment_s for moment_s in moments_s if moment_s > now_s), default=None)


def _volume_commands(wrong: Sequence[Node]) -> list[list[str]]:
    unmuted = [argv.unmute(node.id) for node in wrong if node.name != SOURCE_NODE]
    return [*unmuted, *(argv.turn_up(node.id, len(node.channel_percents)) for node in wrong)]

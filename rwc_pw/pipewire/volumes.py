"""Mutes and volumes on the way from the microphone to the apps, and which of them are set right; pure."""

from collections.abc import Iterator, Mapping

from rwc_pw.errors import Fault
from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire.displaced import Stream, stream_of
from rwc_pw.pipewire.graph import Graph, Node

FULL_PERCENT = 100
SILENT_PERCENT = 10  # 60 dB down
MADE_S = 0.1  # in which a session manager may still restore what was, after it has made a node's ports
RUN_S = 0.3  # after a node has begun to run: until then, since PipeWire 1.4, what is restored for it waits
REST_S = 0.2  # between two times that a node is set right

AGAIN = "or run `rwc-pw disable`, then `rwc-pw enable`."


def silence_in(graph: Graph, microphone: Node | None) -> Fault | None:
    """The first that is muted, or turned down so far that it is silent; None if none is."""
    for node, name, unmute, turn_up in _way(graph, microphone):
        if node.muted and node is not microphone:  # which is told with all else that a microphone lacks
            return Fault(f"{name} is muted", unmute)
        if node.volume_percent < SILENT_PERCENT:
            return Fault(_volume(name, node), turn_up)
    return None


def turned_down(graph: Graph, microphone: Node | None) -> tuple[Fault, ...]:
    """All whose volume is below 100 %."""
    return tuple(
        Fault(_volume(name, node), turn_up)
        for node, name, _, turn_up in _way(graph, microphone)
        if node.volume_percent < FULL_PERCENT
    )


def _way(graph: Graph, microphone: Node | None) -> Iterator[tuple[Node, str, str, str]]:
    """Each node on the way, its name, and how to unmute it and to turn it up; first what most needs it."""
    mixer = "in the desktop's mixer"
    pin = "`rwc-pw set --pin-volume on` keeps it at 100 %"
    for node in graph.voice_nodes():
        yield node, node.label, "Run `rwc-pw mute off`.", f"Turn it up {mixer}; {pin}."
    for node in graph.own_streams():
        yield node, f"the {node.label}", f"Unmute it {mixer}, {AGAIN}", f"Turn it up {mixer}, {AGAIN}"
    for node in graph.listeners():
        yield node, f"what {node.label} records", f"Unmute it {mixer}.", f"Turn it up {mixer}."
    if microphone and microphone.media_class.startswith("Audio/Source"):  # what speakers play is not turned down there
        yield microphone, f"the microphone {microphone.label}", "", f"Turn it up {mixer}, if you are too quiet."


def _volume(name: str, node: Node) -> str:
    return f"the volume of {name} is {node.volume_percent} %"


class VolumeKeeper:
    """Decides which nodes of ours to set right: each when it begins, RWC Voice always if it is ``pinned``."""

    def __init__(self) -> None:
        self.pinned = False
        self._begins_until_s: dict[Stream, float] = {}
        self._have_run: set[Stream] = set()
        self._left: set[Stream] = set()  # wrong since they had begun: somebody means it
        self._corrected_s: dict[Stream, float] = {}

    @property
    def next_looks_s(self) -> list[float]:
        """Moments at which to look whether what was set right is so."""
        return [at_s + REST_S for at_s in self._corrected_s.values()]

    def wrong(self, graph: Graph, now_s: float) -> list[Node]:
        """The nodes to set right now: the streams unmuted and at 100 %, RWC Voice at 100 %."""
        ours = (*graph.own_streams(), *graph.voice_nodes())
        nodes = {stream_of(node): node for node in ours if _is_made(graph, node)}
        self._note_beginnings(nodes, now_s)
        found = [stream for stream, node in nodes.items() if is_wrong(node)]
        begun = {stream for stream in found if now_s >= self._begins_until_s[stream] or stream in self._left}
        self._left = begun
        pinned = {stream for stream in found if self.pinned and nodes[stream].name == SOURCE_NODE}
        recently = {stream for stream, at_s in self._corrected_s.items() if now_s < at_s + REST_S}
        now = [stream for stream in found if (stream not in begun or stream in pinned) and stream not in recently]
        self._corrected_s = {stream: self._corrected_s[stream] for stream in recently} | dict.fromkeys(now, now_s)
        return [nodes[stream] for stream in now]

    def _note_beginnings(self, nodes: Mapping[Stream, Node], now_s: float) -> None:
        self._begins_until_s = {stream: self._begins_until_s.get(stream, now_s + MADE_S) for stream in nodes}
        running = {stream for stream, node in nodes.items() if node.state == "running"}
        self._begins_until_s |= dict.fromkeys(running - self._have_run, now_s + RUN_S)
        self._have_run = (self._have_run | running) & set(nodes)


def is_wrong(node: Node) -> bool:
    """Return whether a node of ours is not as it begins; who mutes RWC Voice means it."""
    return set(node.channel_percents) != {FULL_PERCENT} or (node.muted and node.name != SOURCE_NODE)


def _is_made(graph: Graph, node: Node) -> bool:
    return any(port.node_id == node.id for port in graph.ports)

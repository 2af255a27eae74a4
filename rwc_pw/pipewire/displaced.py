"""The apps that the session manager moved to a real microphone, because somebody destroyed RWC Voice."""

from dataclasses import dataclass, replace

from rwc_pw.errors import Fault
from rwc_pw.pipewire.graph import Graph, Node

Stream = tuple[int, object]
"""A node's id, which may soon be another's, and its serial number, which is nobody else's."""


LINKS_FIRST_S = 1.0  # in which a node goes whose links have gone: the graph may show the two one after the other
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 8.0  # who is still elsewhere after it is there on purpose


@dataclass(frozen=True)
class _Listener:
    node: Node
    voice: Stream
    """The RWC Voice to which it listens, or did."""
    left_s: float | None = None
    """Since when it has not; None if it does."""


@dataclass
class _App:
    node: Node
    next_s: float = 0.0
    """When it is to be moved back, the next time."""
    pause_s: float = FIRST_PAUSE_S
    """Until the time after that."""

    @property
    def is_to_be_moved(self) -> bool:
        return self.pause_s <= LONGEST_PAUSE_S


class DisplacedApps:
    """Watches the graph for apps that lose RWC Voice by its end, until they have it back or are gone."""

    def __init__(self) -> None:
        self._listeners: dict[Stream, _Listener] = {}
        self._displaced: dict[Stream, _App] = {}

    @property
    def are_to_be_moved(self) -> bool:
        """Return whether an app is to be moved back, now or later."""
        return any(app.is_to_be_moved for app in self._displaced.values())

    def observe(self, graph: Graph, now_s: float) -> list[Node]:
        """Take the graph of this moment; return the apps that are to be moved back now.

        Each is moved several times: what moves it may be interrupted, or not heeded by a session manager that begins.
        """
        present = {stream_of(node) for node in graph.nodes.values()}
        voices = {stream_of(node) for node in graph.voice_nodes()}
        self._note_listeners(graph, now_s)
        lost = {stream: listener for stream, listener in self._listeners.items() if listener.voice not in voices}
        for stream, listener in lost.items():
            self._displaced[stream] = _App(listener.node)
            del self._listeners[stream]
        if not voices:
            return []
        gone = [stream for stream in self._displaced if stream not in present or stream in self._listeners]
        for stream in gone:
            del self._displaced[stream]
        due = [app for app in self._displaced.values() if app.is_to_be_moved and now_s >= app.next_s]
        for app in due:
            app.next_s, app.pause_s = now_s + app.pause_s, 2 * app.pause_s
        return [app.node for app in due]

    def _note_listeners(self, graph: Graph, now_s: float) -> None:
        """Note who listens, and to which RWC Voice; keep for a moment who does no more."""
        left = {
            stream: replace(listener, left_s=now_s) if listener.left_s is None else listener
            for stream, listener in self._listeners.items()
        }
        kept = {
            stream: listener for stream, listener in left.items() if now_s <= (listener.left_s or 0) + LINKS_FIRST_S
        }
        voices = graph.voice_ids()
        ends = [(link.input_node_id, link.output_node_id) for link in graph.links if link.output_node_id in voices]
        now = [(graph.nodes[app], graph.nodes[voice]) for app, voice in ends if app in graph.nodes]
        self._listeners = kept | {stream_of(app): _Listener(app, stream_of(voice)) for app, voice in now}

    def fault(self, graph: Graph) -> Fault | None:
        """Apps that record something else than RWC Voice by now; None if none does."""
        recording = {link.input_node_id for link in graph.links}
        labels = [app.node.label for app in self._displaced.values() if app.node.id in recording]
        if not labels:
            return None
        return Fault(
            f"somebody removed RWC Voice, and your real microphone is recorded by {', '.join(labels)}",
            "Choose RWC Voice there again.",
        )


def stream_of(node: Node) -> Stream:
    """Identity of a node, also after its id has become another's."""
    return node.id, node.props.get("object.serial")

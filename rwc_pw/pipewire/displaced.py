"""The apps that the session manager moved to a real microphone, because somebody destroyed RWC Voice."""

from rwc_pw.errors import Fault
from rwc_pw.pipewire.graph import Graph, Node

Stream = tuple[int, object]
"""A node's id, which may soon be another's, and its serial number, which is nobody else's."""


class DisplacedApps:
    """Watches the graph for apps that lose RWC Voice by its end, until they have it back or are gone."""

    def __init__(self) -> None:
        self._listeners: dict[Stream, Node] = {}
        self._displaced: dict[Stream, Node] = {}
        self._asked: set[Stream] = set()

    def observe(self, graph: Graph) -> list[Node]:
        """Take the next graph; return the apps that are to be moved back now, each once."""
        present = {stream_of(node) for node in graph.nodes.values()}
        if not graph.voice_nodes():
            self._displaced |= self._listeners
            self._listeners = {}
            return []
        self._listeners = {stream_of(node): node for node in graph.listeners()}
        for stream in list(self._displaced):
            if stream not in present or stream in self._listeners:
                del self._displaced[stream]
        self._asked &= set(self._displaced)
        moved = [node for stream, node in self._displaced.items() if stream not in self._asked]
        self._asked |= set(self._displaced)
        return moved

    def fault(self, graph: Graph) -> Fault | None:
        """Who hears something else than RWC Voice by now; None if nobody does."""
        recording = {link.input_node_id for link in graph.links}
        labels = [node.label for node in self._displaced.values() if node.id in recording]
        if not labels:
            return None
        return Fault(
            f"somebody removed RWC Voice, and your real microphone is recorded by {', '.join(labels)}",
            "Choose RWC Voice there again.",
        )


def stream_of(node: Node) -> Stream:
    """Which node it is, also after its id has become another's."""
    return node.id, node.props.get("object.serial")

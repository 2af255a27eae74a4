"""The apps that ask for RWC Voice, and that the session manager leaves without it."""

from collections.abc import Mapping

from rwc_pw.errors import Fault
from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire.graph import Graph, Node

PATIENCE_S = 2.0  # far more than a session manager takes


class UnlinkedApps:
    """Watches the graph for apps that are to record RWC Voice, and record nothing.

    After its restart, WirePlumber 0.4 links no app at all if nodes of others were in use meanwhile.
    """

    def __init__(self) -> None:
        self._since_s: Mapping[object, float] = {}  # by serial number

    @property
    def are_any(self) -> bool:
        """Return whether an app waits now, for however short a time."""
        return bool(self._since_s)

    def observe(self, graph: Graph, default_source: str, now_s: float) -> Fault | None:
        """Take the graph of this moment; return which apps have waited for too long, None if none has."""
        waiting = {_serial(node): node for node in _unlinked(graph, default_source)}
        self._since_s = {serial: self._since_s.get(serial, now_s) for serial in waiting}
        labels = [node.label for serial, node in waiting.items() if now_s >= self._since_s[serial] + PATIENCE_S]
        if not labels:
            return None
        return Fault(
            f"the session manager does not link RWC Voice to {', '.join(labels)}",
            "Choose RWC Voice there again; if that does not help, run `systemctl --user restart pipewire`.",
        )


def wanting(graph: Graph, default_source: str) -> list[Node]:
    """The apps that ask for RWC Voice, linked or not."""
    sources = graph.voice_nodes()
    wanted: set[object] = {SOURCE_NODE, *map(_serial, sources)}
    if sources and default_source == SOURCE_NODE:
        wanted.add(None)
    return [
        node
        for node in graph.nodes.values()
        if node.media_class == "Stream/Input/Audio"
        and node.props.get("node.autoconnect") is True
        and node.props.get("target.object") in wanted
    ]


def _unlinked(graph: Graph, default_source: str) -> list[Node]:
    if not graph.voice_nodes():
        return []
    linked = {link.input_node_id for link in graph.links}
    return [node for node in wanting(graph, default_source) if node.id not in linked]


def _serial(node: Node) -> object:
    return node.props.get("object.serial", node.id)

"""PipeWire's graph, as ``pw-dump`` reports it."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rwc_pw.errors import UnavailableError
from rwc_pw.names import LINK_GROUP, SOURCE_NODE

CORE_ID = 0  # of PipeWire itself, which is in every graph


@dataclass(frozen=True)
class Port:
    id: int
    node_id: int
    name: str
    direction: str
    """``in`` or ``out``."""
    number: int = 0
    """Among the node's ports of that direction."""


@dataclass(frozen=True)
class Link:
    output_node_id: int
    output_port_id: int
    input_node_id: int
    input_port_id: int
    state: str
    """``active`` if sound may flow."""


@dataclass(frozen=True)
class Node:
    id: int
    name: str
    media_class: str
    state: str
    """``creating``, ``suspended``, ``idle``, ``running`` or ``error``."""
    props: Mapping[str, Any] = field(default_factory=dict)
    muted: bool = False
    channel_percents: tuple[int, ...] = (100,)
    """Each channel's volume as mixers show it: the cube root of the factor."""

    @property
    def label(self) -> str:
        """A name that people recognise."""
        for key in ("node.description", "application.name", "media.name"):
            if self.props.get(key):
                return str(self.props[key])
        return self.name

    @property
    def volume_percent(self) -> int:
        """The volume of the loudest channel."""
        return max(self.channel_percents)

    @property
    def is_ours(self) -> bool:
        return self.name == SOURCE_NODE or self.props.get("node.link-group") == LINK_GROUP


@dataclass(frozen=True)
class Graph:
    """A snapshot of the graph."""

    nodes: Mapping[int, Node] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    links: tuple[Link, ...] = ()
    session_manager_ids: frozenset[int] = frozenset()
    """The objects that come and go with the session manager."""
    forgets_ports: bool = False
    """True if the session manager is WirePlumber up to 0.4: once restarted, it waits in vain for ports to change that
    were configured before, and links nothing meanwhile."""
    client_pids: frozenset[int] = frozenset()
    """The ids of the connected processes."""
    client_processes: frozenset[tuple[int, str]] = frozenset()
    """All clients, also those through pipewire-pulse: the client's id, and the process id that it states."""

    @property
    def has_session_manager(self) -> bool:
        return bool(self.session_manager_ids)

    def named(self, name: str) -> list[Node]:
        """The nodes of that name, oldest first."""
        return sorted((node for node in self.nodes.values() if node.name == name), key=lambda node: node.id)

    def ports_of(self, node: Node, direction: str) -> list[Port]:
        """Its ports, in their order: one for each channel."""
        found = [port for port in self.ports if port.node_id == node.id and port.direction == direction]
        return sorted(found, key=lambda port: port.number)

    def port(self, path: str) -> Port | None:
        """The port that pw-link calls ``node:port``."""
        node_name, _, name = path.rpartition(":")
        ids = {node.id for node in self.named(node_name)}
        return next((port for port in self.ports if port.name == name and port.node_id in ids), None)

    def link(self, output: Port, into: Port) -> Link | None:
        """The link between two ports."""
        ends = output.id, into.id
        return next((link for link in self.links if (link.output_port_id, link.input_port_id) == ends), None)

    def voice_nodes(self) -> list[Node]:
        """RWC Voice: one node, or none."""
        return self.named(SOURCE_NODE)

    def voice_ids(self) -> set[int]:
        """The ids of ``voice_nodes``."""
        return {node.id for node in self.voice_nodes()}

    def own_streams(self) -> list[Node]:
        """Our recorder and player."""
        return [node for node in self.nodes.values() if node.is_ours and node.name != SOURCE_NODE]

    def surplus_voice_nodes(self) -> list[Node]:
        """Further nodes of RWC Voice, to which nobody listens."""
        nodes = self.voice_nodes()
        heard = {link.output_node_id for link in self.links}
        unheard = [node for node in nodes if node.id not in heard]
        return unheard if len(unheard) < len(nodes) else unheard[1:]

    def feeders(self) -> list[Node]:
        """The nodes that play into RWC Voice now."""
        sources = self.voice_ids()
        return self._nodes_of(link.output_node_id for link in self.links if link.input_node_id in sources)

    def foreign_feeds(self) -> list[Link]:
        """The links into RWC Voice from anything but a stream of ours: what flows there was not converted."""
        sources = self.voice_ids()
        return [link for link in self.links if link.input_node_id in sources and not self._is_ours(link.output_node_id)]

    def _is_ours(self, id: int) -> bool:
        return id in self.nodes and self.nodes[id].is_ours

    def listeners(self) -> list[Node]:
        """The nodes that record from RWC Voice now."""
        sources = self.voice_ids()
        return self._nodes_of(link.input_node_id for link in self.links if link.output_node_id in sources)

    def is_heard(self) -> bool:
        """Return whether a node that records from RWC Voice runs: an app that has paused does not."""
        return any(node.state == "running" for node in self.listeners())

    def unserved_listeners(self) -> list[Node]:
        """The nodes that record from RWC Voice and run, but get no sound from it."""
        sources = self.voice_ids()
        served = {
            link.input_node_id for link in self.links if link.output_node_id in sources and link.state == "active"
        }
        return [node for node in self.listeners() if node.state == "running" and node.id not in served]

    def _nodes_of(self, ids: Iterable[int]) -> list[Node]:
        return [self.nodes[id] for id in sorted(set(ids)) if id in self.nodes]


class GraphReader:
    """Follows ``pw-dump``: takes its output line by line and returns the graph after each change.

    An array of what has gone meanwhile may come before the first that is the whole graph.
    """

    def __init__(self) -> None:
        self._objects: dict[int, dict[str, Any]] = {}
        self._lines: list[str] = []

    def feed(self, line: str) -> Graph | None:
        """Take one line; return the graph if the line ends a change, and the graph is known.

        ``UnavailableError`` if the change cannot be understood.
        """
        self._lines.append(line)
        if line.rstrip() != "]":  # only the end of an array is in the first column
            return None
        text = "".join(self._lines)
        self._lines.clear()
        try:
            changed = json.loads(text)
        except ValueError as error:
            raise UnavailableError("pw-dump's answer is not JSON.", "It is tried again by itself.") from error
        for item in changed:
            if item.get("info", {}) is None:
                self._objects.pop(item["id"], None)
            else:
                self._objects[item["id"]] = item
        return self._graph() if CORE_ID in self._objects else None

    def _graph(self) -> Graph:
        return Graph(
            nodes={node.id: node for node in map(_node, self._of_type("Node"))},
            ports=tuple(map(_port, self._of_type("Port"))),
            links=tuple(map(_link, self._of_type("Link"))),
            session_manager_ids=frozenset(
                item["id"] for item in self._objects.values() if _is_defaults(item) or _is_wireplumber(item)
            ),
            forgets_ports=any(map(_is_old_wireplumber, self._of_type("Client"))),
            client_pids=frozenset(map(_client_pid, self._of_type("Client"))),
            client_processes=frozenset(map(_client_process, self._of_type("Client"))),
        )

    def _of_type(self, name: str) -> Iterator[dict[str, Any]]:
        return (item for item in self._objects.values() if item.get("type") == f"PipeWire:Interface:{name}")


def _is_defaults(item: dict[str, Any]) -> bool:
    """Return whether it is the session manager's metadata."""
    return bool(item.get("props", {}).get("metadata.name") == "default")


def _is_wireplumber(item: dict[str, Any]) -> bool:
    """Return whether it is WirePlumber; before PipeWire 1.0, pw-dump tells its metadata only with a later change."""
    is_daemon = item.get("info", {}).get("props", {}).get("wireplumber.daemon")
    return is_daemon in (True, "true")


def _is_old_wireplumber(client: dict[str, Any]) -> bool:
    props = client.get("info", {}).get("props", {})
    return props.get("application.name") == "WirePlumber" and "application.version" not in props


def _client_pid(client: dict[str, Any]) -> int:
    return int(client.get("info", {}).get("props", {}).get("pipewire.sec.pid", -1))


def _client_process(item: dict[str, Any]) -> tuple[int, str]:
    return item["id"], str(item.get("info", {}).get("props", {}).get("application.process.id", ""))


def _node(item: dict[str, Any]) -> Node:
    info = item.get("info", {})
    props = info.get("props", {})
    params = (info.get("params") or {}).get("Props") or []
    return Node(
        id=item["id"],
        name=str(props.get("node.name", "")),
        media_class=str(props.get("media.class", "")),
        state=str(info.get("state", "creating")),
        props=props,
        muted=any(param.get("mute", False) for param in params),
        channel_percents=next((_channel_percents(param) for param in params if param.get("channelVolumes")), (100,)),
    )


def _channel_percents(param: dict[str, Any]) -> tuple[int, ...]:
    return tuple(round(100 * math.cbrt(param.get("volume", 1.0) * factor)) for factor in param["channelVolumes"])


def _port(item: dict[str, Any]) -> Port:
    info = item.get("info", {})
    props = info.get("props", {})
    return Port(
        id=item["id"],
        node_id=int(props.get("node.id", -1)),
        name=str(props.get("port.name", "")),
        direction=str(props.get("port.direction", "")),
        number=int(props.get("port.id", 0)),
    )


def _link(item: dict[str, Any]) -> Link:
    info = item.get("info", {})
    return Link(
        output_node_id=info.get("output-node-id", -1),
        output_port_id=info.get("output-port-id", -1),
        input_node_id=info.get("input-node-id", -1),
        input_port_id=info.get("input-port-id", -1),
        state=str(info.get("state", "init")),
    )

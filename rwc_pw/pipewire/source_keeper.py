"""The commands that keep exactly one RWC Voice in the graph."""

from rwc_pw.pipewire import argv
from rwc_pw.pipewire.graph import Graph
from rwc_pw.pipewire.source import removal


class SourceKeeper:
    """Creates RWC Voice where there is none, and removes one that is too many; each command is given once."""

    def __init__(self, properties: str) -> None:
        """``properties`` describes the drop-in's node, for a PipeWire that has not read the drop-in yet."""
        self._properties = properties
        self._is_requested = False
        self._destroyed_ids: set[int] = set()

    def begin(self) -> None:
        """Ask anew for a node that has not come."""
        self._is_requested = False

    def commands(self, graph: Graph) -> list[list[str]]:
        """Command lines to run now; the graph shows their results."""
        if graph.voice_nodes():
            self._is_requested = False  # if it is removed later, it is created again
            surplus = graph.surplus_voice_nodes()
            self._destroyed_ids &= {node.id for node in surplus}
            commands = [removal(node) for node in surplus if node.id not in self._destroyed_ids]
            # only once: its id may soon be another object's
            self._destroyed_ids |= {node.id for node in surplus if node.state == "suspended"}
            return commands
        if self._is_requested:
            return []
        self._is_requested = True
        return [argv.create_source(self._properties)]

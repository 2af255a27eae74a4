"""The session manager's end, which the graph shows piece by piece."""

from rwc_pw.pipewire.graph import Graph


class SessionManagerWatch:
    """Notices the end of each session manager, once, as soon as anything of it has gone."""

    def __init__(self) -> None:
        self.forgets_ports = True
        """True if the one that runs, or ran last, is WirePlumber up to 0.4, for all we know."""
        self._ids: frozenset[int] | None = None
        """Objects of the one that runs; None before the first graph."""
        self._remnants: frozenset[int] = frozenset()
        """Objects that are left of those that have ended."""

    def observe(self, graph: Graph) -> bool:
        """Take the next graph; return whether a session manager has ended, or had before the first."""
        present = graph.session_manager_ids
        has_ended = not present if self._ids is None else not self._ids <= present
        if has_ended:
            self._remnants |= self._ids or frozenset()
        self._remnants &= present  # an id may soon be another object's
        running = present - self._remnants
        if running and not self._ids:
            self.forgets_ports = False
        self.forgets_ports |= graph.forgets_ports  # what tells it may go before the rest
        self._ids = running
        return has_ended

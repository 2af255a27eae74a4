"""A limit for links that somebody else removes each time, as a patchbay in exclusive mode does."""

from collections.abc import Iterable

Pair = tuple[int, int]
"""An output and an input port."""

MOST = 5
WINDOW_S = 5.0


class LinkLimit:
    """Lets a link be made ``MOST`` times in ``WINDOW_S``; if we remove it ourselves, counting begins anew."""

    def __init__(self) -> None:
        self._made: list[tuple[float, Pair]] = []  # when, and which

    def allow(self, missing: Iterable[Pair], removed: Iterable[Pair], now_s: float) -> list[Pair]:
        """Links among the ``missing`` to make now; those in ``removed`` are removed by us."""
        ours = set(removed)
        self._made = [(at_s, pair) for at_s, pair in self._made if at_s > now_s - WINDOW_S and pair not in ours]
        allowed = [pair for pair in missing if self._count(pair) < MOST]
        self._made.extend((now_s, pair) for pair in allowed)
        return allowed

    @property
    def is_reached(self) -> bool:
        """Return whether a link has been made so often that it is not made again for now."""
        return any(self._count(pair) >= MOST for _, pair in self._made)

    def _count(self, pair: Pair) -> int:
        return sum(made == pair for _, made in self._made)

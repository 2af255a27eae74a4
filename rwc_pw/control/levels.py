"""Who wants to see the levels of the sound."""

import asyncio
from collections.abc import Callable

INTERVAL_S = 0.1


class LevelWatch:
    """Sends the levels ten times a second while there is a caller who wants them."""

    def __init__(self, send: Callable[[], None], follow: Callable[[str, bool], None]) -> None:
        """``follow`` begins, or ends, to tell ``watch`` when a caller has left the bus."""
        self._send = send
        self._follow = follow
        self._callers: set[str] = set()
        self._next: asyncio.TimerHandle | None = None

    def watch(self, caller: str, wanted: bool) -> None:
        """Note that ``caller`` wants the levels, or no more."""
        if wanted == (caller in self._callers):
            return
        self._callers ^= {caller}
        self._follow(caller, wanted)
        if not self._next:
            self._tick()

    def forget_all(self) -> None:
        """Note that the bus has ended, and every caller with it."""
        self._callers.clear()

    def _tick(self) -> None:
        self._next = None
        if self._callers:
            self._send()
            self._next = asyncio.get_running_loop().call_later(INTERVAL_S, self._tick)

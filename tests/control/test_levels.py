"""Who is sent the levels, and for how long."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from rwc_pw.control import levels
from rwc_pw.control.levels import LevelWatch
from tests.patience import PATIENCE_S


class Bus:
    """Counts what is sent, and notes whose departure it is asked to tell."""

    def __init__(self) -> None:
        self.sent = asyncio.Semaphore(0)
        self.followed: list[tuple[str, bool]] = []
        self.watch = LevelWatch(
            lambda: self.sent.release(), lambda caller, wanted: self.followed.append((caller, wanted))
        )

    def _send(self) -> None:
        self.sent.release()

    async def takes(self, count: int) -> None:
        for _ in range(count):
            await asyncio.wait_for(self.sent.acquire(), PATIENCE_S)

    @property
    def is_quiet(self) -> bool:
        """Return whether nothing more will be sent, though the time for it has come."""
        return self.sent.locked()


@pytest.fixture
def told(monkeypatch) -> Callable[[Callable[[Bus], Coroutine[None, None, None]]], None]:
    monkeypatch.setattr(levels, "INTERVAL_S", 0.001)

    def tell(story: Callable[[Bus], Coroutine[None, None, None]]) -> None:
        async def run() -> None:
            await story(Bus())

        asyncio.run(run())

    return tell


async def a_while() -> None:
    """Long enough for ten more."""
    for _ in range(10):
        await asyncio.sleep(levels.INTERVAL_S)


def test_they_are_sent_until_nobody_wants_them(told):
    async def story(bus: Bus) -> None:
        bus.watch.watch(":1", True)
        bus.watch.watch(":2", True)
        await bus.takes(3)
        bus.watch.watch(":1", False)
        await bus.takes(3)
        bus.watch.watch(":2", False)
        bus.sent = asyncio.Semaphore(0)
        await a_while()
        assert bus.is_quiet
        assert bus.followed == [(":1", True), (":2", True), (":1", False), (":2", False)]

    told(story)


def test_who_asks_twice_is_one_caller_and_who_never_asked_is_none(told):
    async def story(bus: Bus) -> None:
        bus.watch.watch(":2", False)
        bus.watch.watch(":1", True)
        bus.watch.watch(":1", True)
        bus.watch.watch(":1", False)
        assert bus.followed == [(":1", True), (":1", False)]

    told(story)


def test_they_end_with_the_bus_and_begin_again_with_the_next_caller(told):
    async def story(bus: Bus) -> None:
        bus.watch.watch(":1", True)
        await bus.takes(2)
        bus.watch.forget_all()
        await a_while()
        bus.sent = asyncio.Semaphore(0)
        await a_while()
        assert bus.is_quiet
        bus.watch.watch(":1", True)

    told(story)

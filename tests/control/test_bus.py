"""The session bus slow, still, gone and back: the daemon outlives all of it."""

import asyncio
import os
import selectors
import signal
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from dbus_next import Message, MessageType

from rwc_pw.control import service
from rwc_pw.control.bus import connect
from rwc_pw.control.service import BusService
from rwc_pw.errors import NoBusError, RwcPwError
from rwc_pw.names import BUS_NAME, INTERFACE, OBJECT_PATH
from tests.patience import PATIENCE_S, wait_for_end
from tests.servers.pulse_client import source_names
from tests.servers.session import ours

CONNECTIONS, CALLS = 10, 100  # whose answers are more than a socket holds; a bus allows 128 calls to each


class Controlled:
    """What BusService asks of a daemon."""

    def __init__(self) -> None:
        self.asked, self.feeds, self.is_asked = 0, True, False

    def is_feeding(self) -> bool:
        self.asked += 1
        return self.feeds

    def was_asked_to_give_way(self) -> bool:
        return self.is_asked


@contextmanager
def environment_of(headless):
    with patch.dict(os.environ, headless.environment):
        yield


async def ended(controlled: Controlled) -> BusService:
    """A service whose connection has just ended, as when the bus takes nothing more."""
    found = BusService(controlled)
    await found.acquire()
    found._bus._finalize(BlockingIOError())
    return found


def status_call() -> Message:
    properties = "org.freedesktop.DBus.Properties"
    return Message(BUS_NAME, OBJECT_PATH, properties, "GetAll", signature="s", body=[INTERFACE])


def test_a_thousand_who_ask_at_once_are_all_answered(headless, program):
    program("enable")

    async def ask() -> set[MessageType]:
        buses = [await connect() for _ in range(CONNECTIONS)]
        try:
            answers = asyncio.gather(*(bus.call(status_call()) for bus in buses for _ in range(CALLS)))
            return {answer.message_type for answer in await asyncio.wait_for(answers, PATIENCE_S)}
        finally:
            for bus in buses:
                bus.disconnect()

    with environment_of(headless):
        assert asyncio.run(ask()) == {MessageType.METHOD_RETURN}
    assert program.status()["state"] == "armed"


def test_while_the_bus_stands_still_that_is_told_and_afterwards_all_is_as_before(headless, program):
    program("enable")
    daemon = ours(headless, "rwc_pw daemon")
    bus = headless.pid_of("dbus-daemon")
    os.kill(bus, signal.SIGSTOP)
    try:
        assert "session bus did not answer" in program.complaint("status", code=69)
    finally:
        os.kill(bus, signal.SIGCONT)
    assert program.status()["state"] == "armed"
    assert ours(headless, "rwc_pw daemon") == daemon


def test_a_connection_that_ends_gives_its_name_back_and_is_made_anew(headless):
    async def lose() -> None:
        found = await ended(Controlled())
        await asyncio.wait_for(found._reacquire(), PATIENCE_S)
        found.release()

    with environment_of(headless):
        asyncio.run(lose())


def test_an_answer_that_comes_after_the_end_of_the_bus_is_not_sent_into_what_follows(headless):
    async def answer() -> None:
        bus = await connect()
        bus.disconnect()
        writes = asyncio.get_running_loop()._selector.get_map()
        assert bus.send(status_call()).done()
        assert not [key for key in writes.values() if key.events & selectors.EVENT_WRITE]

    with environment_of(headless):
        asyncio.run(answer())


def test_a_daemon_of_another_version_is_told_as_such(headless, program):
    async def serve() -> None:
        bus = await connect()
        await bus.request_name(BUS_NAME)
        told = await asyncio.to_thread(program.complaint, "status", code=69)
        assert "The daemon that runs is of another version" in told
        assert "`rwc-pw disable`, then `rwc-pw enable`" in told
        bus.disconnect()

    with environment_of(headless):
        asyncio.run(serve())


def test_what_feeds_waits_for_the_bus_as_long_as_it_takes(headless, monkeypatch):
    monkeypatch.setattr(service, "LONGEST_WITHOUT_BUS_S", 0.0)

    async def outlast(controlled: Controlled) -> BusService:
        found = await ended(controlled)
        headless.kill("dbus-daemon")
        waiting = asyncio.ensure_future(found._reacquire())
        while controlled.asked < 3:
            await asyncio.wait([waiting], timeout=0.01)
        headless.restart("dbus-daemon")
        await asyncio.wait_for(waiting, PATIENCE_S)
        return found

    async def end(controlled: Controlled) -> None:
        found = await outlast(Controlled())
        found._daemon = controlled
        headless.kill("dbus-daemon")
        await asyncio.wait_for(found.run(), PATIENCE_S)

    idle, asked = Controlled(), Controlled()
    idle.feeds, asked.is_asked = False, True
    with environment_of(headless):
        for controlled in (idle, asked):
            with pytest.raises(NoBusError):
                asyncio.run(end(controlled))
            headless.restart("dbus-daemon")


def test_a_name_that_another_daemon_has_by_now_is_left_to_it(headless):
    async def lose() -> None:
        found, other = await ended(Controlled()), BusService(Controlled())
        await other.acquire()
        try:
            with pytest.raises(RwcPwError, match="already running"):
                await found._reacquire()
        finally:
            other.release()

    with environment_of(headless):
        asyncio.run(lose())


def test_without_a_bus_it_can_be_switched_off(headless, program):
    program("enable")
    [daemon] = ours(headless, "rwc_pw daemon")
    end = os.pidfd_open(daemon)
    headless.kill("dbus-daemon")
    program("disable")
    wait_for_end(end)
    assert "rwc_voice" not in source_names(headless)
    headless.restart("dbus-daemon")

"""The bus as a window would use it: a client that knows nothing but what the daemon's introspection tells."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from xml.etree import ElementTree

import pytest
from dbus_next import DBusError, Message, Variant

from rwc_pw.control.bus import SessionBus
from rwc_pw.control.properties import status_of
from rwc_pw.names import BUS_NAME, INTERFACE, OBJECT_PATH
from rwc_pw.status import Status
from tests.patience import PATIENCE_S, wait_for_end
from tests.servers.program import config_file
from tests.servers.pulse_client import Listening
from tests.servers.session import ours

Story = Callable[["Window"], Coroutine[None, None, None]]


class Window:
    """A client with its own connection."""

    def __init__(self, bus: SessionBus, found: Any) -> None:
        self.bus = bus
        self.voice = found.get_interface(INTERFACE)
        self._properties = found.get_interface("org.freedesktop.DBus.Properties")
        self._changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._properties.on_properties_changed(lambda _, changed, __: self._changes.put_nowait(changed))

    async def status(self) -> Status:
        values = await self._properties.call_get_all(INTERFACE)
        return status_of({name: variant.value for name, variant in values.items()})

    async def settings(self) -> dict[str, Any]:
        return {key: setting.value for key, setting in (await self.voice.get_settings()).items()}

    async def change(self, name: str) -> Any:
        """The value of that property after its next change."""
        while name not in (changed := await asyncio.wait_for(self._changes.get(), PATIENCE_S)):
            pass
        return changed[name].value


@pytest.fixture
def tell(headless, program) -> Callable[[Story], None]:
    """Switch RWC Voice on, and let a window tell its story."""
    program("enable")

    def tell(story: Story) -> None:
        async def run() -> None:
            async with opened(headless) as window:
                await story(window)

        asyncio.run(run())

    return tell


@asynccontextmanager
async def opened(headless) -> AsyncIterator[Window]:
    bus = SessionBus(headless.environment["DBUS_SESSION_BUS_ADDRESS"])
    await bus.connect()
    try:
        known = await bus.introspect(BUS_NAME, OBJECT_PATH)
        yield Window(bus, bus.get_proxy_object(BUS_NAME, OBJECT_PATH, known))
    finally:
        bus.disconnect()


def test_everything_on_it_is_documented(tell):
    async def story(window: Window) -> None:
        call = Message(BUS_NAME, OBJECT_PATH, "org.freedesktop.DBus.Introspectable", "Introspect")
        [xml] = (await window.bus.call(call)).body
        node = ElementTree.fromstring(xml)  # noqa: S314 - it is ours
        [interface] = [found for found in node if found.get("name") == INTERFACE]
        members = [member for member in interface if member.tag != "annotation"]
        assert {member.tag for member in members} == {"method", "signal", "property"}
        for documented in (interface, *members):
            [text] = [found.get("value") for found in documented if found.get("name") == "org.gtk.GDBus.DocString"]
            assert text.endswith(".")

    tell(story)


def test_its_properties_are_the_status_and_the_settings(tell, program):
    async def story(window: Window) -> None:
        told = await asyncio.to_thread(program.status)
        assert json.loads((await window.status()).to_json()) == told
        assert f'voice = "{(await window.settings())["voice"]}"' in await asyncio.to_thread(program, "set")

    tell(story)


def test_what_is_set_is_told_applied_and_kept(tell, program):
    async def story(window: Window) -> None:
        await window.voice.call_set({"pitch": Variant("d", 3.0), "gate": Variant("x", -60)})
        changed = await window.change("Settings")
        assert (changed["pitch"].value, changed["gate"].value) == (3.0, -60)
        await window.voice.call_use("giant")
        assert await window.change("Voice") == "giant"
        assert (await window.status()).voice == "giant"

    tell(story)
    kept = config_file(program).read_text().splitlines()
    assert kept == ["pitch = 3.0", "gate = -60", 'voice = "giant"']


def test_what_is_wrong_is_refused_as_a_whole_with_all_problems_and_the_remedy_apart(tell, program):
    async def story(window: Window) -> None:
        with pytest.raises(DBusError) as refused:
            await window.voice.call_set(
                {"pitch": Variant("d", 99.0), "voise": Variant("s", "giant"), "gain": Variant("d", 1.0)}
            )
        assert refused.value.type == f"{BUS_NAME}.Error.UsageError"
        message, remedy = refused.value.reply.body
        assert "pitch: 99.0 is not between -24 and 24." in message
        assert "voise: there is no such setting" in message
        assert remedy == "Nothing was changed."
        with pytest.raises(DBusError, match="there is no voice 'Nobody'"):
            await window.voice.call_use("Nobody")
        with pytest.raises(DBusError, match="There is no microphone Nothing"):
            await window.voice.call_set({"input_device": Variant("s", "Nothing")})

    tell(story)
    assert not config_file(program).exists()


def test_many_settings_are_refused_at_once_and_no_refusal_is_logged_as_an_error_of_ours(tell, headless):
    async def story(window: Window) -> None:
        with pytest.raises(DBusError) as refused:
            await window.voice.call_set({str(number): Variant("x", number) for number in range(20_000)})
        assert refused.value.text == "20000 settings are more than there are."
        with pytest.raises(DBusError, match="there is no such setting"):
            await window.voice.call_set({"pith": Variant("s", "")})

    tell(story)
    assert "Traceback" not in (headless.root / "dbus-daemon.log").read_text()


def test_while_pipewire_pulse_stands_still_that_is_told_and_all_else_goes_on(tell, headless):
    pulse = headless.pid_of("pipewire-pulse")

    async def story(window: Window) -> None:
        asked = [asyncio.ensure_future(window.voice.call_devices()) for _ in range(10)]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, DBusError)
            assert answer.type == f"{BUS_NAME}.Error.UnavailableError"
        assert await window.voice.call_voices()

    os.kill(pulse, signal.SIGSTOP)
    try:
        tell(story)
        [daemon] = ours(headless, "rwc_pw daemon")
        end = os.pidfd_open(daemon)
        os.kill(daemon, signal.SIGTERM)
        wait_for_end(end)
    finally:
        os.kill(pulse, signal.SIGCONT)


def test_it_lists_what_the_command_line_lists(tell, program):
    async def story(window: Window) -> None:
        for call, command in ((window.voice.call_voices, "voices"), (window.voice.call_devices, "devices")):
            found = [{key: value.value for key, value in one.items()} for one in await call()]
            listed = json.loads(await asyncio.to_thread(program, command, "--json"))
            assert found == [{key: one[key] for key in found[0]} for one in listed]

    tell(story)


def test_a_microphone_is_chosen_by_the_description_that_mixers_show(tell):
    async def story(window: Window) -> None:
        [microphone] = [one for one in await window.voice.call_devices() if not one["is_monitor"].value]
        await window.voice.call_set({"input_device": microphone["description"]})
        assert (await window.settings())["input_device"] == microphone["name"].value

    tell(story)


def test_mute_and_bypass_are_told(tell, headless):
    async def story(window: Window) -> None:
        await window.voice.call_set_mute(True)
        while not await window.change("Muted"):
            pass
        await window.voice.call_set_bypass(True)
        assert await window.change("Bypass") is True

    with Listening(headless, "rwc_voice"):  # PipeWire 1.4 tells a mute of what nobody has used yet at its first use
        tell(story)


async def end_of(levels: "asyncio.Queue[tuple[float, float]]") -> None:
    """Wait until none has come for five times as long as they take."""
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(levels.get(), 0.5)


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("runs", [True, False])
def test_the_levels_come_until_whoever_wanted_them_has_left(tell, headless, stays, runs):
    async def story(window: Window) -> None:
        levels: asyncio.Queue[tuple[float, float]] = asyncio.Queue()
        window.voice.on_levels(lambda microphone, voice: levels.put_nowait((microphone, voice)))
        if not runs:  # then the call itself starts the daemon
            [daemon] = ours(headless, "rwc_pw daemon")
            end = os.pidfd_open(daemon)
            await window.voice.call_quit()
            await asyncio.to_thread(wait_for_end, end)
        meter = SessionBus(headless.environment["DBUS_SESSION_BUS_ADDRESS"])
        await meter.connect()
        asked = meter.send(Message(BUS_NAME, OBJECT_PATH, INTERFACE, "WatchLevels", signature="b", body=[True]))
        if stays:
            for _ in range(3):
                loudest = await asyncio.wait_for(levels.get(), PATIENCE_S)
                assert all(0 <= level <= 1 for level in loudest)
        await asked  # which is sent, and perhaps not yet read
        meter.disconnect()
        await window.status()
        await asyncio.wait_for(end_of(levels), PATIENCE_S)

    tell(story)


def test_what_is_written_into_the_file_is_read_when_asked_for(tell, program):
    async def story(window: Window) -> None:
        config_file(program).parent.mkdir(parents=True, exist_ok=True)
        config_file(program).write_text('voice = "giant"\n')
        await window.voice.call_reload()
        assert await window.change("Voice") == "giant"
        config_file(program).write_text("voice = 5\n")
        with pytest.raises(DBusError) as refused:
            await window.voice.call_reload()
        assert refused.value.type == f"{BUS_NAME}.Error.ConfigError"

    tell(story)


def test_it_ends_when_told(tell, headless, program):
    [daemon] = ours(headless, "rwc_pw daemon")
    end = os.pidfd_open(daemon)

    async def story(window: Window) -> None:
        await window.voice.call_quit()
        await asyncio.to_thread(wait_for_end, end)

    tell(story)
    assert program.status()["state"] == "off"

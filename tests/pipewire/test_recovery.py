"""What happens around us: crashes, restarts, plugs pulled. Sound comes back, and there is one of everything."""

import os
import select
import signal
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from rwc_pw.headless.session import HeadlessPipeWire
from tests.patience import PATIENCE_S, wait_for_end
from tests.servers.program import Program
from tests.servers.pulse_client import record, source_names
from tests.servers.session import ours
from tests.servers.sound import Player, tone


def is_heard(headless: HeadlessPipeWire) -> bool:
    """Whether what is said into the microphone comes out of RWC Voice."""
    with Player(headless, tone(200, 30)):
        return bool(np.abs(record(headless, "rwc_voice", 1.0)).max() > 0.05)


def until_a_second_daemon_is_refused(headless: HeadlessPipeWire) -> None:
    """Whose call finds a bus that is just back may start one, which ends."""
    while len(pids := ours(headless, "rwc_pw daemon")) > 1:
        with ExitStack() as opened:
            ends = []
            for pid in pids:
                with suppress(ProcessLookupError):
                    ends.append(os.pidfd_open(pid))
                    opened.callback(os.close, ends[-1])
            if len(ends) == len(pids):
                assert select.select(ends, [], [], PATIENCE_S)[0], "two daemons run"


def assert_all_is_well(headless: HeadlessPipeWire) -> None:
    assert is_heard(headless)
    assert source_names(headless).count("rwc_voice") == 1
    assert len(ours(headless, "rwc_pw daemon")) == 1
    assert len(ours(headless, "--record")) == len(ours(headless, "--playback")) == 1


@pytest.fixture
def enabled(program: Program) -> Program:
    program("enable")
    return program


@pytest.mark.parametrize("stream", ["--record", "--playback"])
def test_a_killed_pw_cat_is_replaced(headless, enabled, stream):
    with enabled.watched() as watch:
        watch.until(state="armed")
        os.kill(*ours(headless, stream), signal.SIGKILL)
        watch.until(state="degraded")
        watch.until(state="armed")
    assert_all_is_well(headless)


@pytest.mark.parametrize("server", ["pipewire", "wireplumber"])
def test_a_killed_server_that_comes_back_is_served_again(headless, enabled, server):
    with enabled.watched() as watch:
        watch.until(state="armed")
        assert is_heard(headless)
        headless.kill(server)
        watch.until(state="degraded")
        headless.restart(server)
        watch.until(state="armed")
    assert_all_is_well(headless)


def test_the_bus_that_started_the_daemon_may_die_and_come_back(headless, enabled):
    headless.kill("dbus-daemon")
    assert is_heard(headless)
    headless.restart("dbus-daemon")
    assert enabled.status()["state"] == "armed"
    until_a_second_daemon_is_refused(headless)
    assert_all_is_well(headless)


def test_a_killed_daemon_takes_everything_of_it_along(headless, enabled):
    descriptors = [os.pidfd_open(pid) for pid in ours(headless, "rwc_pw.")]
    assert descriptors
    os.kill(*ours(headless, "rwc_pw daemon"), signal.SIGKILL)
    headless.wait_for(lambda graph: not any("rwc_pw." in node.name for node in graph.nodes.values()))
    for descriptor in descriptors:
        wait_for_end(descriptor)
    assert ours(headless, "rwc_pw") == []
    enabled("enable")
    assert_all_is_well(headless)


def test_an_unplugged_microphone_is_silence_until_it_is_back(headless, enabled):
    headless.add_microphone("usb")
    enabled("set", "--input-device", "usb")
    with enabled.watched() as watch:
        watch.until(input_device="usb")
        headless.remove_node("usb")
        status = watch.until(state="degraded")
        assert "usb is not connected" in status["reason"]
        with Player(headless, tone(200, 10)):  # the other microphone is not for us to take
            assert not np.any(record(headless, "rwc_voice", 0.5))
        headless.add_microphone("usb")
        watch.until(input_device="usb", state="armed")


def test_a_new_default_microphone_is_followed(headless, enabled):
    headless.add_microphone("usb")
    with enabled.watched() as watch:
        headless.run("pactl", "set-default-source", "usb")
        watch.until(input_device="usb")
        headless.run("pactl", "set-default-source", "headless_microphone")
        watch.until(input_device="headless_microphone")

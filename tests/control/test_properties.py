"""The status on the bus."""

from dataclasses import fields

import pytest

from rwc_pw.control.properties import PROPERTIES, carried, properties_of, status_of
from rwc_pw.status import State, Status

RUNNING = Status(
    state=State.RUNNING,
    voice="giant",
    input_device="usb",
    input_channel="2",
    input_channels=2,
    listeners=("Zoom", "OBS"),
    latency_ms=34.5,
    dropped_ms=1.5,
    late_ms=2.5,
    turned_down=("RWC Voice is at 50 %",),
)


@pytest.mark.parametrize("status", [RUNNING, Status(state=State.ARMED, muted=True, bypass=True), Status()])
def test_the_status_arrives_as_it_was(status):
    assert status_of(properties_of(status)) == status


def test_every_field_of_the_status_is_a_property():
    assert len(PROPERTIES) == len(fields(Status))
    assert properties_of(RUNNING).keys() == PROPERTIES.keys()


def test_a_delay_that_was_not_measured_is_negative():
    assert properties_of(Status())["LatencyMs"] == -1.0


def test_what_only_a_newer_daemon_tells_is_left_out():
    assert status_of({**properties_of(RUNNING), "Mood": "fine"}) == RUNNING


@pytest.mark.parametrize(("text", "told"), [("d\udcfcta", "d\\udcfcta"), ("a\0b", "a\\0b"), ("Über", "Über")])
def test_what_d_bus_cannot_carry_is_written_out(text, told):
    assert carried(text) == told
    status = Status(state=State.DEGRADED, reason=text, listeners=(text,))
    assert properties_of(status)["Reason"] == told
    assert properties_of(status)["Listeners"] == [told]

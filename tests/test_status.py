import json
from dataclasses import replace

import pytest

from rwc_pw.status import State, Status, describe

RUNNING = Status(
    state=State.RUNNING,
    voice="robot",
    input_device="alsa_input.usb",
    listeners=("Firefox", "Zoom"),
    latency_ms=42.3,
    dropped_ms=1.5,
    late_ms=0.0,
)
DEGRADED = Status(
    State.DEGRADED,
    reason="there is no microphone",
    remedy="Connect one.",
    voice="deeper",
    bypass=True,
    muted=True,
    turned_down=("the volume of RWC Voice is 88 %", "the volume of the rwc-pw player is 50 %"),
)


@pytest.mark.parametrize("status", [Status(), RUNNING, DEGRADED], ids=lambda status: status.state)
def test_what_is_told_is_understood(status):
    assert Status.from_json(status.to_json()) == status
    assert Status.from_json(status.to_json()).state is status.state


def test_programs_read_plain_json():
    told = json.loads(RUNNING.to_json())
    assert told["state"] == "running"
    assert told["listeners"] == ["Firefox", "Zoom"]
    assert told["latency_ms"] == 42.3
    assert json.loads(Status().to_json())["latency_ms"] is None


def test_a_state_that_nobody_knows_is_not_swallowed():
    with pytest.raises(ValueError, match="asleep"):
        Status.from_json(Status().to_json().replace('"off"', '"asleep"'))


def test_a_daemon_that_is_off_has_nothing_to_say():
    assert describe(Status()) == [("RWC Voice", "off")]
    assert ("Voice", "none yet") in describe(Status(State.DEGRADED, loading="Otto"))
    assert describe(Status(reason="no session bus")) == [("RWC Voice", "off: no session bus")]


def test_people_are_told_in_words():
    assert dict(describe(RUNNING)) == {
        "RWC Voice": "running",
        "Voice": "robot",
        "Microphone": "alsa_input.usb",
        "Listening": "Firefox, Zoom",
        "Latency": "42.3 ms, measured",
        "Lost": "1.5 ms dropped, 0 ms late",
    }


@pytest.mark.parametrize(
    ("channel", "channels", "told"),
    [
        ("", 0, "usb"),
        ("", 1, "usb"),
        ("2", 18, "usb, channel 2 of 18"),
        ("", 18, "usb, 18 channels, none chosen yet"),
        ("mix", 2, "usb, 2 channels, mixed"),
        ("5", 2, "usb, channel 5 of 2"),
    ],
)
def test_the_channel_of_the_microphone_is_told(channel, channels, told):
    status = Status(State.RUNNING, input_device="usb", input_channel=channel, input_channels=channels)
    assert dict(describe(status))["Microphone"] == told
    assert dict(describe(replace(status, input_device="")))["Microphone"] == "none"


def test_who_listens_to_silence_is_not_told_that_nobody_listens():
    assert dict(describe(Status(State.RUNNING, listeners=("Zoom",))))["Latency"] == "not measured, no sound flows"
    assert dict(describe(Status(State.ARMED)))["Latency"] == "not measured, nobody listens"


def test_silence_and_the_real_voice_are_never_told_as_a_disguise():
    told = dict(describe(DEGRADED))
    assert told["RWC Voice"] == "degraded: there is no microphone"
    assert told["Remedy"] == "Connect one."
    assert told["Voice"] == "your own, unconverted (bypass)"
    assert told["Muted"] == "yes"
    assert told["Turned down"] == "the volume of RWC Voice is 88 % and the volume of the rwc-pw player is 50 %"
    assert (told["Microphone"], told["Listening"]) == ("none", "nobody")
    assert told["Latency"] == "not measured, nobody listens"


def test_who_hears_the_silence_of_what_is_off_is_told():
    one = Status().heard_by(["Zoom"], stays=False)
    assert (one.state, one.reason, one.listeners) == (State.OFF, "silent until Zoom leaves", ("Zoom",))
    assert Status().heard_by(["Zoom", "OBS", "Mumble"], stays=False).reason == "silent until Zoom, OBS and Mumble leave"
    assert describe(Status().heard_by(["Zoom"], stays=True)) == [
        ("RWC Voice", "off: silent for Zoom"),
        ("Remedy", "Run `rwc-pw enable`."),
    ]
    assert Status().heard_by([], stays=True) == Status()
    without_bus = Status(reason="there is no bus", remedy="Log in.").heard_by(["Zoom"], stays=False)
    assert (without_bus.reason, without_bus.remedy) == ("silent until Zoom leaves; there is no bus", "Log in.")

"""What is muted or turned down is told; what of it is ours begins as it should."""

import json

import pytest

from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.pipewire.graph import Graph, Node
from tests.servers.pulse_client import Listening, record
from tests.servers.sound import Player, is_loud, tone


def set_props(headless: HeadlessPipeWire, name: str, **props: object) -> None:
    """As a mixer would, to the node whose name begins so."""
    node = headless.wait_for(lambda graph: named(graph, name))
    headless.run("pw-cli", "set-param", str(node.id), "Props", json.dumps(props))


def named(graph: Graph, name: str) -> Node | None:
    return next((node for node in graph.nodes.values() if node.name.startswith(name)), None)


def wait_for(headless: HeadlessPipeWire, name: str, **expected: object) -> None:
    headless.wait_for(
        lambda graph: (node := named(graph, name)) and all(getattr(node, key) == it for key, it in expected.items())
    )


def test_rwc_voice_turned_down_is_told_and_begins_at_full_volume_again(headless, program):
    program("enable")
    record(headless, "rwc_voice", 0.5)  # 1.4.2 sets nothing of a node that has not run
    with program.watched() as watch:
        set_props(headless, "rwc_voice", channelVolumes=[0.125])
        status = watch.until(turned_down=["the volume of RWC Voice is 50 %"])
        assert (status["state"], status["reason"]) == ("armed", "")
        assert "--pin-volume on" in status["remedy"]
        assert "the volume of RWC Voice is 50 %" in program("status")
        assert "the volume of RWC Voice is 50 %" in program("doctor")
        set_props(headless, "rwc_voice", channelVolumes=[0.0])
        assert watch.until(state="degraded")["reason"] == "the volume of RWC Voice is 0 %"
        set_props(headless, "rwc_voice", channelVolumes=[0.125])
        watch.until(state="armed")
    program("disable")
    program("enable")
    wait_for(headless, "rwc_voice", volume_percent=100)
    assert program.status()["turned_down"] == []


def test_pinned_rwc_voice_stays_at_full_volume(headless, program):
    program("enable")
    record(headless, "rwc_voice", 0.5)
    set_props(headless, "rwc_voice", channelVolumes=[0.125])
    wait_for(headless, "rwc_voice", volume_percent=50)
    program("set", "--pin-volume", "on")
    wait_for(headless, "rwc_voice", volume_percent=100)
    for factor in (0.0, 0.125, 2.0):
        set_props(headless, "rwc_voice", channelVolumes=[factor])
        wait_for(headless, "rwc_voice", volume_percent=100)
    program("set", "--pin-volume", "off")
    set_props(headless, "rwc_voice", channelVolumes=[0.125])
    with program.watched() as watch:
        watch.until(turned_down=["the volume of RWC Voice is 50 %"])


@pytest.mark.parametrize("stream", ["rwc_pw.capture", "rwc_pw.playback"])
@pytest.mark.parametrize("props", [{"mute": True}, {"channelVolumes": [0.0]}], ids=["muted", "turned down"])
def test_a_stream_of_ours_that_is_silenced_is_told_and_begins_as_it_should(headless, program, stream, props):
    program("enable")
    with Player(headless, tone(200, 120)):
        with program.watched() as watch, Listening(headless, "rwc_voice") as app:
            watch.until(state="running")
            app.until(is_loud)
            set_props(headless, stream, **props)
            status = watch.until(state="degraded")
            assert "rwc-pw" in status["reason"]
            assert status["remedy"]
            app.until(lambda heard: not heard.any())
        program("disable")
        program("enable")
        with Listening(headless, "rwc_voice") as app:
            app.until(is_loud)
    assert program.status()["reason"] == ""


@pytest.mark.parametrize(
    ("node", "props", "reason"),
    [
        ("headless_microphone", {"channelVolumes": [0.0]}, "the volume of the microphone Headless microphone is 0 %"),
        ("parec", {"mute": True}, "what parec records is muted"),
        ("rwc_voice", {"mute": True}, "RWC Voice is muted"),
    ],
)
def test_what_others_silence_on_the_way_is_told(headless, program, node, props, reason):
    program("enable")
    with Listening(headless, "rwc_voice"), program.watched() as watch:
        watch.until(state="running")
        set_props(headless, node, **props)
        assert watch.until(state="degraded")["reason"] == reason
        set_props(headless, node, mute=False, channelVolumes=[1.0])
        watch.until(state="running")

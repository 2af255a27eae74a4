"""What must never happen: our voice in the speakers, the speakers in our voice, our voice in itself."""

import os
import signal
import subprocess

import numpy as np
import pytest

from rwc_pw.headless.session import SPEAKERS
from rwc_pw.pipewire.graph import Graph
from rwc_pw.pipewire.link_limit import MOST
from rwc_pw.streaming import IdentityBackend
from tests.patience import PATIENCE_S
from tests.servers.program import Program, configure
from tests.servers.pulse_client import Listening, record
from tests.servers.rig import Rig
from tests.servers.session import ours
from tests.servers.sound import Player, is_loud, record_pair, tone


def links_of(headless, name: str) -> list[tuple[str, str]]:
    """The links of every port whose node's name begins with ``name``, as pw-link tells them."""
    found, port = [], ""
    for line in headless.run("pw-link", "--links").splitlines():
        if not line.startswith(" "):
            port = line.strip()
        elif port.startswith(name):
            found.append((port, line.split()[-1]))
    return found


def is_silent(heard: np.ndarray) -> bool:
    return not heard.any()


def test_nothing_of_ours_plays_in_the_speakers(headless, program):
    program("enable")
    with Player(headless, tone(200, 10)):
        heard = record(headless, "rwc_voice", 1.0)
        speakers = record_pair(headless, f"{SPEAKERS}:monitor_FL", f"{SPEAKERS}:monitor_FR", seconds=0.5)
    assert np.abs(heard).max() > 0.05
    assert not speakers.any()


def test_who_records_when_the_session_manager_restarts_never_gets_the_real_microphone(headless, program):
    program("enable")
    program("set", "--gate", "0")  # nothing that is said is loud enough: whatever is heard is the real microphone
    with Listening(headless, "rwc_voice") as app, program.watched() as watch:
        app.next(1.0)
        headless.kill("wireplumber")
        watch.until(state="degraded")
        headless.restart("wireplumber")
        watch.until(state="running", reason="")
        with Player(headless, tone(200, 60)):
            assert is_silent(app.next(2.0))
            program("set", "--gate", "-90")
            app.until(is_loud)


def test_a_link_to_the_speakers_that_somebody_makes_is_removed(headless, program):
    program("enable")
    [(output, _)] = links_of(headless, "rwc_pw.playback")
    headless.run("pw-link", output, f"{SPEAKERS}:playback_FL")
    headless.wait_for(lambda _: len(links_of(headless, "rwc_pw.playback")) == 1 or None)
    assert links_of(headless, "rwc_pw.playback") == [(output, "rwc_voice:input_MONO")]


def test_what_somebody_links_past_the_converter_is_removed_and_told(headless, program):
    program("enable")
    program("set", "--gate", "0")  # nothing that is said is loud enough: whatever is heard is the real voice
    [(output, _)] = links_of(headless, "rwc_pw.playback")
    with Player(headless, tone(200, 60)), Listening(headless, "rwc_voice") as app, program.watched() as watch:
        app.next(0.5)
        headless.run("pw-link", "headless_microphone:capture_MONO", "rwc_voice:input_MONO")
        assert "linked Headless microphone into RWC Voice" in watch.until(state="degraded")["reason"]
        headless.wait_for(lambda _: links_of(headless, "rwc_voice:input") == [("rwc_voice:input_MONO", output)])
        app.next(0.5)  # what got through
        assert is_silent(app.next(1.0))
        watch.until(state="running")


def test_who_loses_the_microphone_that_somebody_destroys_gets_it_back(headless, program):
    program("enable")
    program("set", "--gate", "0")
    with Player(headless, tone(200, 60)), Listening(headless, "rwc_voice") as app:
        app.next(0.5)
        [node] = headless.wait_for(lambda graph: graph.voice_nodes())
        headless.run("pw-cli", "destroy", str(node.id))
        headless.wait_for(lambda graph: graph.listeners() and graph.voice_nodes() != [node], timeout_s=PATIENCE_S)
        app.until(is_silent)
        assert is_silent(app.next(1.0))
        with program.watched() as watch:
            watch.until(state="running", reason="")


def test_who_loses_the_microphone_gets_it_back_also_if_our_streams_end_at_that_moment(headless, program):
    program("enable")
    program("set", "--gate", "0")
    with Player(headless, tone(200, 60)), Listening(headless, "rwc_voice") as app:
        app.next(0.5)
        [daemon], [recorder] = ours(headless, "rwc_pw daemon"), ours(headless, "rwc_pw.capture")
        [node] = headless.wait_for(lambda graph: graph.voice_nodes())
        os.kill(daemon, signal.SIGSTOP)
        headless.run("pw-cli", "destroy", str(node.id))
        os.kill(recorder, signal.SIGKILL)
        os.kill(daemon, signal.SIGCONT)
        headless.wait_for(lambda graph: graph.listeners() and graph.voice_nodes() != [node], timeout_s=PATIENCE_S)
        app.until(is_silent)
        assert is_silent(app.next(1.0))


def test_who_removes_our_links_each_time_is_told_of_and_does_not_keep_us_busy(headless, program):
    """As a patchbay in exclusive mode does."""
    program("enable")
    removed = 0
    with program.watched() as watch:
        watch.until(state="armed")

        def told_of(graph: Graph) -> bool:
            nonlocal removed
            for link in graph.links:
                if graph.nodes[link.input_node_id].name == "rwc_voice":
                    ports = str(link.output_port_id), str(link.input_port_id)
                    unlink = subprocess.run(("pw-link", "-d", *ports), env=headless.environment, check=False)
                    removed += unlink.returncode == 0
            return removed > 2 * MOST

        headless.wait_for(told_of, timeout_s=PATIENCE_S)
        assert "removes the links" in watch.until(state="degraded")["reason"]
        watch.until(state="armed")
        with Player(headless, tone(200, 60)), Listening(headless, "rwc_voice") as app:
            app.until(is_loud)


def test_without_a_microphone_what_the_speakers_play_is_not_the_voice(start_headless):
    headless = start_headless(microphone=False)
    program = Program(headless)
    program("enable")
    try:
        assert program.status()["state"] == "degraded"
        assert "no microphone" in program.status()["reason"]
        with Player(headless, tone(200, 10), into=f"{SPEAKERS}:playback_FL"):
            assert not np.any(record(headless, "rwc_voice", 1.0))
    finally:
        program("disable")


def test_rwc_voice_as_the_only_source_does_not_feed_itself(start_headless):
    headless = start_headless(microphone=False)
    program = Program(headless)
    program("enable")
    try:
        assert not np.any(record(headless, "rwc_voice", 0.5))
        assert program.status()["input_device"] == ""
        headless.add_microphone("usb")
        with program.watched() as watch:
            watch.until(input_device="usb", state="armed")
    finally:
        program("disable")


def test_rwc_voice_as_the_new_default_leaves_the_microphone_as_it_is(headless, program):
    program("enable")
    headless.run("pactl", "set-default-source", "rwc_voice")
    assert program.status()["input_device"] == "headless_microphone"
    with Player(headless, tone(200, 10)):
        assert np.abs(record(headless, "rwc_voice", 1.5)).max() > 0.05
    assert headless.run("pactl", "get-default-source").strip() == "rwc_voice"
    assert program.status()["input_device"] == "headless_microphone"


def test_a_microphone_that_is_muted_is_told(headless, program):
    program("enable")
    with Player(headless, tone(200, 30)), program.watched() as watch:  # 1.4.2 mutes no source that is suspended
        watch.until(state="armed")
        headless.run("pactl", "set-source-mute", "headless_microphone", "1")
        assert "is muted" in watch.until(state="degraded")["reason"]
        headless.run("pactl", "set-source-mute", "headless_microphone", "0")
        watch.until(state="armed")


@pytest.mark.parametrize("asked", ["rwc_voice", "headless_speakers"])
def test_neither_is_a_microphone_that_can_be_asked_for(headless, program, asked):
    assert f"no microphone {asked}" in program.complaint("set", "--input-device", asked, code=2)
    configure(program, f'input_device = "{asked}"')
    program("enable")
    assert program.status()["state"] == "degraded"
    with Player(headless, tone(200, 10), into=f"{SPEAKERS}:playback_FL"):
        assert not np.any(record(headless, "rwc_voice", 0.5))


def test_a_monitor_is_an_input_when_it_is_named(headless, program):
    program("enable")
    program("set", "--input-device", f"{SPEAKERS}.monitor")
    with Player(headless, tone(200, 10), into=f"{SPEAKERS}:playback_FL"):
        assert np.abs(record(headless, "rwc_voice", 1.0)).max() > 0.02


def test_two_do_not_feed_it_at_once(headless, program):
    with Rig(headless, IdentityBackend()):
        assert "Another rwc-pw feeds" in program.complaint("real-time", code=1)
        program("enable")
        assert "Another rwc-pw feeds" in program.status()["reason"]
        assert len(links_of(headless, "rwc_voice:input")) == 1
        with program.watched() as watch:
            watch.until(state="degraded")
    with program.watched() as watch:
        watch.until(state="armed")
    assert "Another rwc-pw feeds" in program.complaint("real-time", code=1)

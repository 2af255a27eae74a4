"""Microphones as they are: what they are called, of what class, and on which channel the voice is."""

import json

import numpy as np
import pytest

from rwc_pw.headless.recording import AppRecorder
from rwc_pw.streaming import IdentityBackend
from tests.channels.test_channel_choice import speech
from tests.patience import PATIENCE_S
from tests.pipewire.test_guards import links_of
from tests.servers.program import config_file, configure
from tests.servers.pulse_client import Listening
from tests.servers.rig import Rig
from tests.servers.sound import RATE_HZ, VOICE_PORT, WINDOW, Player, delay_samples, is_loud, tone, undisturbed


def test_a_microphone_may_be_called_what_mixers_call_it(program):
    program("enable")
    program("set", "--input-device", "Headless Microphone")
    assert json.loads(program("devices", "--json"))[0]["is_chosen"]
    assert 'input_device = "headless_microphone"' in config_file(program).read_text()
    program("set", "--input-device", "Monitor of Headless speakers")
    assert program.status()["input_device"] == "headless_speakers"
    program("set", "--input-device", "")
    assert program.status()["input_device"] == "headless_microphone"


@pytest.mark.parametrize("command", ["set", "real-time"])
def test_a_name_that_fits_no_microphone_is_refused_with_what_was_meant(program, command):
    told = program.complaint(command, "--input-device", "headles_microphone", code=2)
    assert "no microphone headles_microphone" in told
    assert "Did you mean headless_microphone?" in told
    assert not config_file(program).exists()


def test_what_is_chosen_may_be_chosen_again_while_it_is_not_connected(headless, program):
    program("enable")
    headless.add_microphone("usb")
    program("set", "--input-device", "usb")
    headless.remove_node("usb")
    program("set", "--input-device", "usb")
    program("set", "--gain", "1")
    assert program.status()["reason"] == "the microphone usb is not connected"
    configure(program, "input_device = 5")  # also where what was chosen cannot be used
    program("set", "--input-device", "headless_microphone")


def test_what_the_configuration_calls_by_no_name_is_told_with_what_was_meant(program):
    configure(program, 'input_device = "Headless microphones"')
    assert "Did you mean headless_microphone?" in program("enable")
    assert "Did you mean headless_microphone?" in program.status()["remedy"]
    configure(program, 'input_device = "Headless microphone"')
    program("set", "--gain", "1")
    assert program.status()["input_device"] == "headless_microphone"
    assert json.loads(program("devices", "--json"))[0]["is_chosen"]


def test_while_no_pipewire_can_tell_a_name_is_taken_and_that_is_told(program, tmp_path):
    program.environment["XDG_RUNTIME_DIR"] = str(tmp_path)
    done = program.run("set", "--input-device", "usb")
    assert done.returncode == 0
    assert "usb is kept as it is" in done.stderr
    assert 'input_device = "usb"' in config_file(program).read_text()


def test_a_phone_that_can_also_be_played_to_is_recorded(headless, program):
    program("enable")
    headless.add_microphone("phone", media_class="Audio/Duplex", channels=("FL", "FR"))
    program("set", "--input-device", "phone", "--gate", "-90")
    with Listening(headless, "rwc_voice") as app, Player(headless, tone(200, 60), into="phone:playback_FL"):
        app.until(is_loud)
    headless.set_default_source("phone")
    program("set", "--input-device", "")
    with program.watched() as watch:
        watch.until(input_device="phone", reason="")


def interface(headless, channels: int) -> str:
    """An interface of so many channels, by default, from now on; its name."""
    headless.add_microphone("interface", channels=[f"AUX{number}" for number in range(channels)])
    headless.set_default_source("interface")
    return "interface"


@pytest.mark.parametrize("channels", [1, 3, 18])
def test_one_microphone_in_an_interface_is_heard_as_it_is(headless, channels):
    name = interface(headless, channels)
    channel = channels - 1

    def is_heard_as_it_is() -> bool | None:
        before = len(recorder.frames())
        recorder.wait(before + RATE_HZ, timeout_s=PATIENCE_S)
        said, heard = recorder.frames()[before:].T
        found = enumerate(delay_samples(said, heard, WINDOW, longest=RATE_HZ // 5))
        starts = [(number * WINDOW, number * WINDOW + int(delay)) for number, delay in found if not np.isnan(delay)]
        same = [np.array_equal(said[at : at + WINDOW], heard[later : later + WINDOW]) for at, later in starts]
        return True if sum(same) >= 3 else None

    with (
        Rig(headless, IdentityBackend()) as rig,
        Player(headless, np.tile(0.1 * speech(30), 10), into=f"{name}:input_AUX{channel}"),
        AppRecorder(headless, f"{name}:capture_AUX{channel}", VOICE_PORT) as recorder,
    ):
        rig.wait(lambda state: state.channels == channels)
        assert undisturbed(is_heard_as_it_is)
        assert rig.nodes.channel == (str(channels) if channels > 1 else "")


def test_a_microphone_with_more_channels_than_the_one_before_is_heard_on_all(headless):
    with Rig(headless, IdentityBackend()) as rig:
        name = interface(headless, 3)
        rig.wait(lambda state: state.channels == 3 and not state.fault)
        with Player(headless, speech(60), into=f"{name}:input_AUX2"), Listening(headless, "rwc_voice") as app:
            app.until(np.any)
        assert rig.nodes.channel == "3"
        headless.remove_node(name)
        rig.wait(lambda state: state.channels == 1 and not state.fault)
        with Player(headless, speech(60)), Listening(headless, "rwc_voice") as app:
            app.until(np.any)
        assert rig.nodes.channel == ""


def test_the_channel_that_the_user_asks_for_is_the_one_that_is_heard(headless, program):
    name = interface(headless, 4)
    program("set", "--input-device", name, "--input-channel", "3", "--gate", "-90")
    program("enable")
    assert program.status()["input_channel"] == "3"
    with Player(headless, tone(200, 60), into=f"{name}:input_AUX2"), Listening(headless, "rwc_voice") as app:
        app.until(is_loud)
        assert [output for output, into in links_of(headless, f"{name}:capture")] == [f"{name}:capture_AUX2"]
        program("set", "--input-channel", "2")
        app.until(lambda heard: not heard.any())
        program("set", "--input-channel", "mix")
        app.until(lambda heard: heard.any())
        assert program.status()["input_channel"] == "mix"
        program("set", "--input-channel", "auto")
        app.until(is_loud)
    assert program.status()["input_channel"] == "3"
    assert program.status()["input_channels"] == 4
    assert "channel 3 of 4" in program("status")
    assert "4 channels" in program("devices")


def test_a_channel_that_there_is_not_is_told(program):
    program("set", "--input-channel", "5")
    program("enable")
    status = program.status()
    assert status["state"] == "degraded"
    assert "has one channel, and no channel 5" in status["reason"]
    assert "rwc-pw set --input-channel auto" in status["remedy"]
    assert "not auto, mix or the number of a channel" in program.complaint("set", "--input-channel", "0", code=2)
    program("set", "--input-channel", "auto")
    assert program.status()["state"] == "armed"

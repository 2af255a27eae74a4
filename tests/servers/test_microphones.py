"""Microphones as they are: what they are called, of what class, and on which channel the voice is."""

import json

import pytest

from tests.servers.program import config_file, configure
from tests.servers.pulse_client import Listening
from tests.servers.sound import Player, tone
from tests.servers.test_guards import is_loud


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
    assert "Whether there is a microphone usb shows" in done.stderr
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

"""RWC Voice goes when nobody listens any more: without it, who does would be given the real microphone."""

import os
import re
import select
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import rwc_pw
from rwc_pw.desktop.dropin import source_properties
from rwc_pw.headless.session import HeadlessPipeWire
from tests.patience import PATIENCE_S
from tests.servers.pulse_client import Listening, record, source_names
from tests.servers.session import processes
from tests.servers.sound import Player, tone


def is_loud(heard: np.ndarray) -> bool:
    return bool(np.abs(heard).max() > 0.05)


def is_silent(heard: np.ndarray) -> bool:
    return not heard.any()


def those_who_wait(headless: HeadlessPipeWire) -> list[int]:
    return [pid for pid, line in processes(headless.root) if "farewell" in line]


def wait_for_the_end_of(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            ended, _, _ = select.select([process], [], [], PATIENCE_S)
            os.close(process)
            assert ended, "it still waits"


def assert_it_goes_after_the_last_listener(headless: HeadlessPipeWire) -> None:
    headless.wait_for(lambda graph: not graph.voice_nodes(), timeout_s=PATIENCE_S)
    wait_for_the_end_of(those_who_wait(headless))
    assert "rwc_voice" not in source_names(headless)
    assert [line for _, line in processes(headless.root) if "rwc_pw" in line or "pw-dump" in line] == []


def assert_only_silence_is_heard(app: Listening) -> None:
    app.until(is_silent)  # after what it had still to hear
    assert is_silent(app.next(1.5))


def test_who_listens_when_it_is_switched_off_hears_silence_until_he_leaves(headless, program):
    program("enable")
    with Player(headless, tone(200, 60)):
        with Listening(headless, "rwc_voice") as app:
            app.until(is_loud)
            done = program.run("disable")
            assert done.returncode == 0
            assert "silent until parec leaves" in done.stderr
            assert_only_silence_is_heard(app)
            status = program.status()
            assert (status["state"], status["listeners"]) == ("off", ["parec"])
            assert "off: silent until parec leaves" in program("status")
            program("disable")
            assert len(those_who_wait(headless)) == 1
            assert_only_silence_is_heard(app)
        assert_it_goes_after_the_last_listener(headless)
    assert "silent" not in program("status")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_listens_when_a_terminal_ends_it_hears_silence_until_he_leaves(headless, program, number):
    argv = ["env", "--default-signal=INT", *program.argv("real-time")]
    process = subprocess.Popen(argv, env=program.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    headless.wait_for(lambda graph: graph.feeders())
    with Player(headless, tone(200, 60)):
        with Listening(headless, "rwc_voice") as app:
            app.until(is_loud)
            process.send_signal(number)
            _, told = process.communicate(timeout=PATIENCE_S)
            assert "silent until parec leaves" in told.decode()
            assert_only_silence_is_heard(app)
        assert_it_goes_after_the_last_listener(headless)


def test_switched_on_again_it_speaks_and_stays(headless, program):
    program("enable")
    with Player(headless, tone(200, 60)):
        with Listening(headless, "rwc_voice") as app:
            app.until(is_loud)
            program("disable")
            app.until(is_silent)
            [waiting] = those_who_wait(headless)
            program("enable")
            app.until(is_loud)
            wait_for_the_end_of([waiting])
            program("disable")
            app.until(is_silent)
            program("enable")
            app.until(is_loud)
        with program.watched() as watch:
            watch.until(state="armed")
        assert is_loud(record(headless, "rwc_voice", 1.0))


def test_what_waits_for_the_last_listener_needs_no_file_of_the_program(headless, program, tmp_path):
    shutil.copytree(Path(rwc_pw.__file__).parent, tmp_path / "rwc_pw")
    program.environment["PYTHONPATH"] = str(tmp_path)
    program("enable")
    with Listening(headless, "rwc_voice") as app:
        app.next(0.5)
        program("disable")
        shutil.rmtree(tmp_path / "rwc_pw")
    del program.environment["PYTHONPATH"]
    assert_it_goes_after_the_last_listener(headless)


def test_what_waits_for_the_last_listener_ends_with_pipewire(headless, program):
    program("enable")
    with Listening(headless, "rwc_voice") as app:
        app.next(0.5)
        program("disable")
        waiting = those_who_wait(headless)
        assert waiting
        headless.kill("pipewire")
        wait_for_the_end_of(waiting)
    headless.restart("pipewire")
    assert "rwc_voice" not in source_names(headless)


def test_the_session_manager_outlives_a_microphone_that_goes_soon_after_its_listener(headless, program):
    """WirePlumber 0.4 crashes if it is to suspend a node that is gone: also where an older drop-in made the node."""
    suspended = re.sub(r"session.suspend-timeout-seconds = \S+", "", source_properties())
    headless.run("pw-cli", "create-node", "adapter", suspended)
    headless.wait_for(lambda graph: graph.port("rwc_voice:capture_MONO"))
    program("enable")
    record(headless, "rwc_voice", 0.5)
    program("disable")
    assert "rwc_voice" not in source_names(headless)
    record(headless, "headless_microphone", 0.5)
    headless.wait_for(lambda graph: graph.named("headless_microphone")[0].state == "suspended", timeout_s=PATIENCE_S)

"""What stands still while somebody listens is told, and made anew until sound flows."""

import os
import signal

import pytest

from tests.servers.pulse_client import Listening
from tests.servers.session import force_quantum, ours
from tests.servers.sound import Player, is_loud, tone


def test_after_a_moment_with_a_large_quantum_sound_is_back(headless, program):
    program("enable")
    with Player(headless, tone(200, 120)), Listening(headless, "rwc_voice") as app:
        app.until(is_loud)
        for _ in range(3):  # the player stops reading in most of them
            force_quantum(headless, 4096)
            app.next(0.5)
            force_quantum(headless, 0)
            app.next(0.5)
            app.until(is_loud)
    assert program.status()["state"] != "degraded"


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ("rwc_pw.playback", "the converted voice is not played into RWC Voice"),
        ("rwc_pw.capture", "nothing comes from the microphone"),
    ],
)
def test_a_stream_that_stands_still_is_made_anew_and_told_until_sound_flows(headless, program, stream, reason):
    program("enable")
    with (
        Player(headless, tone(200, 120)),
        Listening(headless, "rwc_voice") as app,
        program.watched() as watch,
    ):
        watch.until(state="running")
        app.until(is_loud)
        os.kill(*ours(headless, stream), signal.SIGSTOP)
        status = watch.until(state="degraded")
        assert status["reason"] == reason
        assert status["remedy"]
        told = watch.until(state="running")
        assert told["reason"] == ""
        app.until(is_loud)

"""What an app hears: the converted voice, live, and changes without a click."""

import os
import select
import signal
import subprocess

import numpy as np
import pytest

from tests.patience import PATIENCE_S
from tests.servers import chromium
from tests.servers.program import config_file, configure
from tests.servers.pulse_client import record, record_with_ffmpeg
from tests.servers.session import processes
from tests.servers.sound import RATE_HZ, PairRecorder, Player, record_pair, undisturbed

PITCH_HZ = 170.0
DEEPER = 2 ** (-4 / 12)


def voiced(seconds: int) -> np.ndarray:
    """A sound with the harmonics of a voice at ``PITCH_HZ``."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    second = sum(0.2 / n * np.sin(2 * np.pi * n * PITCH_HZ * time_s) for n in range(1, 20))
    return np.tile(second.astype(np.float32), seconds)


def pitch_hz(samples: np.ndarray, rate_hz: float) -> float:
    """The repetition rate, from the highest peak of the autocorrelation between 60 and 400 Hz."""
    samples = samples[-int(rate_hz) // 2 :]
    spectrum = np.fft.rfft(samples, 2 * len(samples))
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)
    shortest, longest = int(rate_hz / 400), int(rate_hz / 60)
    return rate_hz / (shortest + int(np.argmax(likeness[shortest:longest])))


@pytest.fixture
def speaking(headless, program):
    """Somebody speaks into the microphone of an RWC Voice that is on."""
    program("enable")
    with Player(headless, voiced(60)):
        yield headless


def test_parec_hears_a_deeper_voice(speaking):
    assert pitch_hz(record(speaking, "rwc_voice", 1.5), RATE_HZ) == pytest.approx(PITCH_HZ * DEEPER, rel=0.02)


@pytest.mark.needs("ffmpeg")
def test_ffmpeg_hears_a_deeper_voice(speaking):
    assert pitch_hz(record_with_ffmpeg(speaking, "rwc_voice", 1.5), RATE_HZ) == pytest.approx(
        PITCH_HZ * DEEPER, rel=0.02
    )


@pytest.mark.needs("chromium")
def test_chromium_hears_a_deeper_voice(speaking):
    samples, rate_hz = chromium.record(speaking, "RWC Voice", 1.5)
    assert pitch_hz(samples, rate_hz) == pytest.approx(PITCH_HZ * DEEPER, rel=0.02)


@pytest.mark.parametrize(
    ("command", "back", "pitch"),
    [
        (("use", "brighter"), ("use", "deeper"), PITCH_HZ * 2 ** (4 / 12)),
        (("set", "--pitch", "-3"), ("set", "--pitch", "0"), PITCH_HZ * 2 ** (-7 / 12)),
        (("bypass", "on"), ("bypass", "off"), PITCH_HZ),
    ],
    ids=["use", "set", "bypass"],
)
@pytest.mark.parametrize("headless", [1024], indirect=True)  # a busy machine may miss shorter cycles
def test_a_change_while_people_listen_is_heard_without_a_click(headless, program, command, back, pitch):
    configure(program, "chunk_size = 2048\n")
    program("enable")

    def changed() -> tuple[np.ndarray, int] | None:
        """What is heard around the change, and when it is asked for."""
        program(*back)
        with (
            Player(headless, voiced(100)),
            PairRecorder(headless, "headless_microphone:capture_MONO", "rwc_voice:capture_MONO") as recorder,
        ):
            recorder.wait(RATE_HZ, timeout_s=PATIENCE_S)
            settled, lost_ms = len(recorder.frames()), program.lost_ms()
            program(*command)
            recorder.wait(len(recorder.frames()) + RATE_HZ, timeout_s=PATIENCE_S)
            said, heard = recorder.frames().T
            is_whole = largest_step(said[RATE_HZ // 2 :]) <= 1.5 * largest_step(voiced(1))
            return (heard, settled) if is_whole and program.lost_ms() == lost_ms else None

    heard, settled = undisturbed(changed)
    assert pitch_hz(heard, RATE_HZ) == pytest.approx(pitch, rel=0.02)
    usual = max(largest_step(heard[RATE_HZ // 2 : settled]), largest_step(heard[-RATE_HZ // 2 :]))
    assert largest_step(heard[RATE_HZ // 2 :]) <= 1.5 * usual  # from when all is settled over the change to the end


def largest_step(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound)).max())


def test_the_real_voice_is_heard_under_bypass_alone_and_a_restart_ends_it(speaking, program):
    assert "Your real voice" in program("bypass", "on")
    assert pitch_hz(record(speaking, "rwc_voice", 1.5), RATE_HZ) == pytest.approx(PITCH_HZ, rel=0.01)
    assert "Your real voice" in program.complaint("use", "deeper", code=0)
    assert "Your real voice" in program("enable")
    assert program("bypass", "off") == program.complaint("use", "deeper", code=0) == ""
    assert pitch_hz(record(speaking, "rwc_voice", 1.5), RATE_HZ) == pytest.approx(PITCH_HZ * DEEPER, rel=0.02)
    program("bypass", "on")
    program("disable")
    program("enable")
    assert not program.status()["bypass"]


def test_after_bypass_off_no_stream_is_left_that_holds_the_real_voice(headless, program):
    """Also one that is stopped and would not answer."""
    program("enable")
    program("bypass", "on")
    streams = [pid for pid, line in processes(headless.root) if "pw-cat" in line and "setpriv" not in line]
    ends = [os.pidfd_open(pid) for pid in streams]
    for pid in streams:
        os.kill(pid, signal.SIGSTOP)
    program("bypass", "off")
    ended, _, _ = select.select(ends, [], [], 0)
    for end in ends:
        os.close(end)
    assert len(streams) == 2
    assert ended == ends


def test_a_size_of_chunk_is_that_of_the_voice_in_use(speaking, program):
    program("set", "--chunk-size", "2048")
    with PairRecorder(speaking, "headless_microphone:capture_MONO", "rwc_voice:capture_MONO") as recorder:
        recorder.wait(RATE_HZ, timeout_s=PATIENCE_S)
        assert program.status()["latency_ms"] > 1000 * 2048 / RATE_HZ
    program("set", "--chunk-size", "0")
    assert "chunk_size" not in config_file(program).read_text()


def test_muted_it_is_silent(speaking, program):
    with program.watched() as watch:
        watch.until(muted=False)
        program("mute")
        assert not record(speaking, "rwc_voice", 0.5).any()
        watch.until(muted=True)
        program("mute", "off")
        assert record(speaking, "rwc_voice", 0.5).any()
        watch.until(muted=False)
        program("mute", "toggle")
        watch.until(muted=True)
        program("mute", "toggle")
        watch.until(muted=False)


def test_real_time_feeds_the_microphone_without_a_bus_and_takes_it_along(headless, program):
    headless.kill("dbus-daemon")

    process = subprocess.Popen(
        program.argv("real-time", "-c", "1024", "-p", "-3"), env=program.environment, stdout=subprocess.DEVNULL
    )
    try:
        with Player(headless, voiced(30)):
            pair = record_pair(headless, "headless_microphone:capture_MONO", "rwc_voice:capture_MONO", seconds=2)
        assert pitch_hz(pair[:, 1], RATE_HZ) == pytest.approx(PITCH_HZ * 2 ** (-7 / 12), rel=0.02)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    assert "rwc_voice" not in headless.run("pw-link", "--output")

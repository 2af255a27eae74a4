"""Applications that record through PulseAudio's interface."""

import subprocess
import threading

import numpy as np

from rwc_pw.pipewire.headless import HeadlessPipeWire
from tests.servers.sound import DEADLINE_S, RATE_HZ


def record(headless: HeadlessPipeWire, source_name: str, seconds: float) -> np.ndarray:
    """What ``parec`` hears: mono float32 at 48 kHz."""
    argv = ("parec", f"--device={source_name}", "--raw", "--format=float32le", f"--rate={RATE_HZ}", "--channels=1")
    argv += ("--latency-msec=50",)
    with subprocess.Popen(argv, env=headless.environment, stdout=subprocess.PIPE) as parec:
        try:
            return _samples(parec, seconds)
        finally:
            parec.terminate()


def record_with_ffmpeg(headless: HeadlessPipeWire, source_name: str, seconds: float) -> np.ndarray:
    """What ``ffmpeg -f pulse`` hears: mono float32 at 48 kHz."""
    argv = ("ffmpeg", "-nostdin", "-loglevel", "error", "-f", "pulse", "-sample_rate", str(RATE_HZ), "-channels", "1")
    argv += ("-i", source_name, "-f", "f32le", "-")
    with subprocess.Popen(argv, env=headless.environment, stdout=subprocess.PIPE) as ffmpeg:
        try:
            return _samples(ffmpeg, seconds)
        finally:
            ffmpeg.kill()  # on SIGTERM it would first write to the pipe that nobody reads


def _samples(client: "subprocess.Popen[bytes]", seconds: float) -> np.ndarray:
    """The first ``seconds`` of a client's output; none where it is silent for too long."""
    assert client.stdout is not None
    timer = threading.Timer(DEADLINE_S + seconds, client.kill)
    timer.start()
    read = client.stdout.read(round(seconds * RATE_HZ) * 4)
    timer.cancel()
    timer.join()
    return np.frombuffer(read, dtype=np.float32)


def source_names(headless: HeadlessPipeWire) -> list[str]:
    """The sources that an app can choose."""
    return [line.split("\t")[1] for line in headless.run("pactl", "list", "short", "sources").splitlines()]

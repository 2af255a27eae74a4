"""Applications that record through PulseAudio's interface."""

import subprocess
import threading
from collections.abc import Callable

import numpy as np

from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.pipewire.graph import Graph
from tests.patience import PATIENCE_S
from tests.servers.sound import RATE_HZ


def record(headless: HeadlessPipeWire, source_name: str, seconds: float) -> np.ndarray:
    """What ``parec`` hears: mono float32 at 48 kHz."""
    with start_parec(headless, source_name) as parec:
        try:
            return _samples(headless, parec, seconds)
        finally:
            parec.terminate()


class Listening:
    """``parec`` from a source, until the end of the block."""

    def __init__(self, headless: HeadlessPipeWire, source_name: str) -> None:
        self._parec = start_parec(headless, source_name)

    def __enter__(self) -> "Listening":
        return self

    def __exit__(self, *_: object) -> None:
        if self._parec.poll() is None:
            self.rest()

    def next(self, seconds: float) -> np.ndarray:
        """The next sound that it hears, which must come, silence too: mono float32."""
        assert self._parec.stdout is not None
        wanted_bytes = round(seconds * RATE_HZ) * 4
        heard = self._parec.stdout.read(wanted_bytes)
        assert len(heard) == wanted_bytes, "the recording ended"
        return np.frombuffer(heard, np.float32)

    def until(self, is_so: Callable[[np.ndarray], bool], seconds: float = 0.5) -> None:
        """Read piece by piece until one of this length is as asked for."""
        for _ in range(round(PATIENCE_S / seconds)):
            if is_so(self.next(seconds)):
                return
        raise AssertionError("what was awaited is not heard")

    def rest(self) -> np.ndarray:
        """End it; what it had heard by then."""
        self._parec.terminate()
        heard, _ = self._parec.communicate()
        return np.frombuffer(heard[: len(heard) // 4 * 4], np.float32)


def start_parec(headless: HeadlessPipeWire, source_name: str) -> "subprocess.Popen[bytes]":
    """An app that records from a source to its output: mono float32 at 48 kHz."""
    argv = ("parec", f"--device={source_name}", "--raw", "--format=float32le", f"--rate={RATE_HZ}", "--channels=1")
    argv += ("--latency-msec=50",)
    return subprocess.Popen(argv, env=headless.environment, stdout=subprocess.PIPE)


def record_with_ffmpeg(headless: HeadlessPipeWire, source_name: str, seconds: float) -> np.ndarray:
    """What ``ffmpeg -f pulse`` hears: mono float32 at 48 kHz."""
    argv = ("ffmpeg", "-nostdin", "-loglevel", "error", "-f", "pulse", "-sample_rate", str(RATE_HZ), "-channels", "1")
    argv += ("-i", source_name, "-f", "f32le", "-")
    with subprocess.Popen(argv, env=headless.environment, stdout=subprocess.PIPE) as ffmpeg:
        try:
            return _samples(headless, ffmpeg, seconds)
        finally:
            ffmpeg.kill()  # on SIGTERM it would first write to the pipe that nobody reads


def _samples(headless: HeadlessPipeWire, client: "subprocess.Popen[bytes]", seconds: float) -> np.ndarray:
    """The first ``seconds`` of a client's output, which must come, silence too."""
    found = []

    def give_up() -> None:
        try:
            found.append(headless.wait_for(_portrait))
        finally:
            client.kill()

    assert client.stdout is not None
    wanted = round(seconds * RATE_HZ)
    timer = threading.Timer(PATIENCE_S + seconds, give_up)
    timer.start()
    samples = np.frombuffer(client.stdout.read(wanted * 4), dtype=np.float32)
    timer.cancel()
    timer.join()
    assert len(samples) == wanted, f"{client.args} heard {len(samples)} of {wanted} samples: {found}"
    return samples


def _portrait(graph: Graph) -> list[str]:
    """What may tell why an app records nothing."""
    nodes = [f"{node.name}: {node.state}" for node in graph.nodes.values()]
    names = {id: node.name for id, node in graph.nodes.items()}
    return nodes + [
        f"{names.get(link.output_node_id)} to {names.get(link.input_node_id)}: {link.state}" for link in graph.links
    ]


def source_names(headless: HeadlessPipeWire) -> list[str]:
    """The sources that an app can choose."""
    return [line.split("\t")[1] for line in headless.run("pactl", "list", "short", "sources").splitlines()]

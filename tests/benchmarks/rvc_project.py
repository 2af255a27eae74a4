"""Compares our work on a block with that of RVC-Project's real-time algorithm: python -m tests.benchmarks.rvc_project.

Needs the extra rwc-pw[rvc]. RvcStream and SolaStream have the same voice of real size, the same modules, one thread and
sound at 16 kHz, and take turns block by block. Told is the median processor time of a block by both's precision, and
the FLOP of the networks, counted. RVC-Project's hears 2.5 s before each block, its default, or 0.5 s, as one may tune
it. Both are compiled by OpenVINO, in float32 (f32) or bfloat16 (bf16); eager is RVC-Project's in float32 as torch runs
it, uncompiled, which is what RVC-Project itself does on a CPU. Both find the pitch with SwiftF0, which hears 400 ms
here and 150 ms there, costs us a millisecond or two more, and is not counted in the FLOP (RMVPE, RVC-Project's default,
costs more); neither retrieves. Before it is timed RVC-Project's is checked: it says a tone of 170 Hz at that pitch, in
blocks of the right length.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.cpu_voice import CpuVoice
from rwc_pw.rvc.detectors import SWIFTF0
from rwc_pw.rvc.graph_files import GraphFiles
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
from rwc_pw.rvc.network.torch_operations import TorchOperations
from rwc_pw.rvc.plan import CONTENT_RATE_HZ, Plan
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import Array
from rwc_pw.system.extra import load_module
from rwc_pw.voices.rvc_voice import MODEL_FILE
from tests.benchmarks.sola_stream import Network, OfflineDecoder, SolaStream, Window, offline_shapes
from tests.benchmarks.streaming import RATES_HZ, Bench
from tests.rvc.synthesizer import FEATURES
from tests.rvc.tone import tone

BLOCK_FRAMES = 10
PLAN = Plan(BLOCK_FRAMES)
DEFAULT_CONTEXT = "2.5 s"
WINDOWS = {DEFAULT_CONTEXT: Window(BLOCK_FRAMES, 250), "0.5 s": Window(BLOCK_FRAMES, 50)}
BLOCKS = 30
CHECKED_BLOCKS = 8
TONE_HZ = 170
EAGER = "eager"
PRECISIONS = ("f32", "f32"), ("bf16", "f32"), ("bf16", "bf16"), ("f32", EAGER)
"""Ours and theirs; on a CPU RVC-Project computes in f32."""


@contextmanager
def computed_in(precision: str) -> Iterator[None]:
    """Let networks that are opened meanwhile compute so, in one thread."""
    hint = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    with patch.object(CpuNetwork, "settings", hint):
        yield


class TorchModules:
    """The networks in torch, for both sides."""

    def __init__(self, sources: VoiceSources) -> None:
        network, weights = sources.network, sources.weights()
        self._network = network
        self._operations = ops = TorchOperations("cpu", torch.float32)
        self._content = Content(ops, sources.contentvec, network.version)
        self._text = TextEncoder(ops, weights, network)
        self._decoder = Decoder(ops, weights, network)
        self._offline = {name: OfflineDecoder(ops, sources, window) for name, window in WINDOWS.items()}
        self._sources = sources

    def stream(self, context: str) -> SolaStream:
        """RVC-Project's, as torch runs it."""
        offline = self._offline[context]

        def decoder(frames: Any, source: Any) -> Any:
            return offline(frames, source, Carry(self._operations, 0))

        networks = map(_called_with_arrays, (self._content, self._text, decoder))
        return SolaStream(self._sources, WINDOWS[context], *networks)

    def ours_gflop(self) -> float:
        """Of a block."""
        samples = PLAN.decoded_frames * self._decoder.samples_per_frame
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._encode(PLAN.window_samples, PLAN.text_frames)
            frames, source = torch.zeros(1, self._network.inter, PLAN.decoded_frames), torch.zeros(1, 1, samples)
            self._decoder(frames, source, Carry(self._operations, PLAN.look_ahead_frames))
        return counter.get_total_flops() / 1e9

    def theirs_gflop(self, context: str) -> float:
        """Of a block."""
        window = WINDOWS[context]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._encode(window.heard_samples, window.heard_frames)
            frames, source = (torch.zeros(shape) for shape in offline_shapes(self._sources, window))
            self._offline[context](frames, source, Carry(self._operations, 0))
        return counter.get_total_flops() / 1e9

    def _encode(self, samples: int, frames: int) -> None:
        by_distance, by_frame = map(torch.from_numpy, relative_positions(frames, self._network.heads))
        self._content(torch.zeros(1, samples))
        self._text(torch.zeros(1, frames, FEATURES["v2"]), by_distance, by_frame, torch.ones(frames).long())


def _called_with_arrays(module: Any) -> Network:
    def called(*values: Any) -> list[Any]:
        with torch.inference_mode():
            said = module(*map(torch.from_numpy, values))
        return [value.numpy() for value in (said if isinstance(said, tuple) else (said,))]

    return called


class Streams:
    """Both sides' streams, of one voice whose graphs are kept in ``folder``."""

    def __init__(self, sources: VoiceSources, folder: Path) -> None:
        self._sources = sources
        self._folder = folder
        self._files = GraphFiles(folder)

    def ours(self, precision: str) -> RvcStream:
        with computed_in(precision):
            return RvcStream(CpuVoice(self._sources, PLAN, None, self._files), PLAN)

    def theirs(self, precision: str, context: str) -> SolaStream:
        window, sources = WINDOWS[context], self._sources
        content = self._files.content(sources.contentvec, sources.network.version) / "content.xml"
        text = self._files.voice(sources.name, sources.folder / MODEL_FILE, PLAN.look_ahead_frames) / "text.xml"
        frames = window.heard_frames
        positions = [index.shape for index in relative_positions(frames, sources.network.heads)]

        def decoded(*values: Array) -> list[Array]:
            decoder.reset()
            return decoder(*values)

        with computed_in(precision):
            decoder = CpuNetwork(self._offline(context), offline_shapes(sources, window))
            return SolaStream(
                sources,
                window,
                CpuNetwork(content, [(1, window.heard_samples)]),
                CpuNetwork(text, [(1, frames, FEATURES["v2"]), *positions, (frames,)]),
                decoded,
            )

    def _offline(self, context: str) -> Path:
        path = self._folder / f"offline {context}.xml"
        if not path.exists():
            ops = OpenvinoOperations()
            carry = Carry(ops, 0)
            frames, source = (ops.input(shape) for shape in offline_shapes(self._sources, WINDOWS[context]))
            sound = OfflineDecoder(ops, self._sources, WINDOWS[context])(frames, source, carry)
            model = ops.model([frames, source], [sound], carry.after)
            load_module("openvino").save_model(model, path, compress_to_fp16=True)
        return path


def check(one: SolaStream, rate_hz: int) -> None:
    """``SystemExit`` when it does not say what it hears at the pitch that it hears."""
    said = [one.convert(sound) for sound in heard_blocks(CHECKED_BLOCKS)]
    if {len(block) for block in said} != {BLOCK_FRAMES * rate_hz // 100}:
        raise SystemExit("a block of RVC-Project's algorithm has another length")
    found_hz = pitch_hz(np.concatenate(said[CHECKED_BLOCKS // 2 :]), rate_hz)
    if abs(found_hz / TONE_HZ - 1) > 0.01:
        raise SystemExit(f"RVC-Project's algorithm says {found_hz:.1f} Hz where it hears {TONE_HZ} Hz")


def heard_blocks(count: int) -> list[Array]:
    return np.split(tone(count * BLOCK_FRAMES / 100, CONTENT_RATE_HZ), count)


def pitch_hz(said: Array, rate_hz: int) -> float:
    """The repetition rate, from the autocorrelation's highest peak between 60 and 500 Hz."""
    likeness = np.fft.irfft(np.abs(np.fft.rfft(said, 2 * len(said))) ** 2)
    shortest, longest = rate_hz // 500, rate_hz // 60
    return rate_hz / (shortest + int(np.argmax(likeness[shortest:longest])))


def medians_ms(*streams: RvcStream | SolaStream) -> list[float]:
    """Of each, the processor time of a block; they take turns."""
    spent_s: list[list[float]] = [[] for _ in streams]
    for sound in heard_blocks(BLOCKS):
        for one, times_s in zip(streams, spent_s, strict=True):
            started_s = time.process_time()
            one.convert(sound)
            times_s.append(time.process_time() - started_s)
    return [1000 * median(times_s) for times_s in spent_s]


def compare(bench: Bench, rate_hz: int) -> None:
    sources = VoiceSources("Real", bench.voice(rate_hz), bench.models / "rvc/embedders/contentvec", SWIFTF0, None)
    modules = TorchModules(sources)
    for context in WINDOWS:
        ours, theirs = modules.ours_gflop(), modules.theirs_gflop(context)
        told = f"ours {ours:.1f} G, RVC-Project's with {context} {theirs:.1f} G: {ours / theirs:.2f}"
        print(f"flop {rate_hz // 1000} kHz: {told}", flush=True)
    streams = Streams(sources, bench.root / "graphs")
    has_bf16 = "BF16" in load_module("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for our_precision, their_precision in PRECISIONS:
        if our_precision == "bf16" and not has_bf16:
            continue
        for context in WINDOWS:
            eager = their_precision == EAGER
            other = modules.stream(context) if eager else streams.theirs(their_precision, context)
            check(other, rate_hz)
            ours, theirs = medians_ms(streams.ours(our_precision), other)
            told = f"ours {ours:.0f} ms, RVC-Project's with {context} {theirs:.0f} ms: {ours / theirs:.3f}"
            print(f"{our_precision} over {their_precision}, {rate_hz // 1000} kHz: {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rate_hz", nargs="?", type=int, choices=RATES_HZ, default=40_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="rwc-pw-") as root:
        compare(Bench(Path(root)), arguments.rate_hz)


if __name__ == "__main__":
    main()

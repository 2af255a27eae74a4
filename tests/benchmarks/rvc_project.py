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
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import torch
from rwc_pw.rvc.network.export import export_content, export_voice
from rwc_pw.rvc.network.stored import read_voice
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rwc_pw.rvc import cpu_step
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.text_encoder import TextEncoder
from rwc_pw.rvc.pitch import detect_pitch
from rwc_pw.rvc.plan import CONTENT_RATE_HZ, Plan
from rwc_pw.rvc.step import Array
from rwc_pw.system.extra import load_module
from tests.benchmarks.sola_stream import OfflineDecoder, SolaStream, Window, export_offline
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


class F32Network(CpuNetwork):
    settings: ClassVar = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


class Bf16Network(CpuNetwork):
    settings: ClassVar = {**F32Network.settings, "INFERENCE_PRECISION_HINT": "bf16"}


NETWORKS = {"f32": F32Network, "bf16": Bf16Network}


class EagerNetwork:
    """A module as torch runs it, called as a CpuNetwork is."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, *values: Any) -> list[Any]:
        with torch.inference_mode():
            said = self._module(*map(torch.from_numpy, values))
        return [value.numpy() for value in (said if isinstance(said, tuple) else (said,))]


class Modules:
    """What both sides are made of, in torch."""

    def __init__(self, contentvec: Path, voice: Path) -> None:
        network, weights = read_voice(voice)
        self._channels = network.inter
        self._content = Content(contentvec, "v2").eval()  # HuBERT leaves out layers by chance while it is trained
        self._text = TextEncoder(weights, network)
        self._decoder = Decoder(weights, network)
        self.offline = OfflineDecoder(voice, WINDOWS[DEFAULT_CONTEXT])

    def open(self, path: Path, lengths: Sequence[int]) -> EagerNetwork:
        """The one that SolaStream looks for in ``path``; it takes any length."""
        modules = {"content": self._content, "text": self._text, "offline": self.offline}
        return EagerNetwork(modules[path.stem])

    def ours_gflop(self) -> float:
        """Of a block."""
        frames = torch.zeros(1, self._channels, PLAN.decoded_frames)
        source = torch.zeros(1, 1, PLAN.decoded_frames * self._decoder.samples_per_frame)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._encode(PLAN.window_samples, PLAN.text_frames)
            self._decoder(frames, source, Carry(PLAN.look_ahead_frames))
        return counter.get_total_flops() / 1e9

    def theirs_gflop(self, window: Window) -> float:
        """Of a block."""
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._encode(window.heard_samples, window.heard_frames)
            self.offline(self.offline.frames, self.offline.source)
        return counter.get_total_flops() / 1e9

    def _encode(self, samples: int, frames: int) -> None:
        self._content(torch.zeros(1, samples))
        self._text(torch.zeros(1, frames, FEATURES["v2"]), torch.ones(1, frames).long())


class Streams:
    """Both sides' streams, of one voice exported once to ``folder``."""

    def __init__(self, contentvec: Path, voice: Path, modules: Modules, folder: Path) -> None:
        self._modules = modules
        self._folder = folder
        folder.mkdir()
        export_content(contentvec, folder, "v2")
        export_voice(voice, folder, PLAN.look_ahead_frames)
        export_offline(modules.offline, folder / "offline.xml")

    def ours(self, precision: str) -> RvcStream:
        with patch.object(cpu_step, "CpuNetwork", NETWORKS[precision]):
            step = cpu_step.CpuStep(self._folder, self._folder, PLAN, lambda: detect_pitch, retrieval=None)
        return RvcStream(step, PLAN)

    def theirs(self, precision: str, window: Window) -> SolaStream:
        return SolaStream(self._folder, window, self._modules.open if precision == EAGER else NETWORKS[precision])


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
    contentvec, voice = bench.models / "rvc/embedders/contentvec", bench.voice(rate_hz)
    modules = Modules(contentvec, voice)
    for context, window in WINDOWS.items():
        ours, theirs = modules.ours_gflop(), modules.theirs_gflop(window)
        told = f"ours {ours:.1f} G, RVC-Project's with {context} {theirs:.1f} G: {ours / theirs:.2f}"
        print(f"flop {rate_hz // 1000} kHz: {told}", flush=True)
    streams = Streams(contentvec, voice, modules, bench.root / "exported")
    has_bf16 = "BF16" in load_module("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for our_precision, their_precision in PRECISIONS:
        if our_precision == "bf16" and not has_bf16:
            continue
        for context, window in WINDOWS.items():
            other = streams.theirs(their_precision, window)
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

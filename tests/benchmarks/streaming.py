"""Measures StreamingConverter on networks of real size: python -m tests.benchmarks.streaming [ROW...].

Needs the extra rwc-pw[rvc]. Rows:

flop      per block, counted, over the least that a causal converter could do: each frame once, with RMVPE
curve     what looking ahead less costs: the decoder's error against the offline network
blocks    the time of a block, StreamingConverter as a whole: median, 95 and 99 of 100; the machine keeps up
          where the latter is at most 0.9 of the block
memory    of a process that speaks in a 48 kHz voice, after 10 s and after 60 s of sound
batch     processor time per second of sound over BatchConverter's, each as it is set by default, in one thread
delay     microphone to app in a 40 kHz voice on a private PipeWire: declared, and measured by the pitch
gpu       on a GPU, a block of 20 ms: median and 99 of 100, as one CUDA graph and without
pitch     found live in the real speech that ultimate-rvc ships, against the reference by RMVPE: median, and voicing
edges     in five minutes of sound, steps at the edges of blocks over those inside
drift     of the delay in ten minutes of sound, converted as fast as the machine can; a small voice
hour      of sound: the memory of the process, every ten minutes; a small voice
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import soundfile

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.config import Config
from rwc_pw.demo.performance import perform
from rwc_pw.rvc import gpu
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.detectors import FCPE
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.streaming import BatchConverter, ConversionBackend, ConversionConfig, StreamingConverter
from rwc_pw.system.extra import package_folder
from rwc_pw.system.paths import Paths
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from rwc_pw.voices.stored_voice import StoredVoice
from tests.rvc.checkable import make_assets, make_voice
from tests.rvc.synthesizer import FEATURES
from tests.rvc.tone import tone
from tests.rvc.warble import delay_samples, warble

RATES_HZ = (32_000, 40_000, 48_000)
LEAST_GFLOP = {48_000: 134, 40_000: 115, 32_000: 101}
"""Of a second of sound: ContentVec, RMVPE, text encoder, flow and generator, each frame once."""
GPU_BLOCK = 2
FLOP_BLOCKS = (2, 6, 10)
BLOCKS = (8, 10, 12, 16)
SECONDS = 60
DELAY_BLOCKS = (8, 10, 12)
DELAY_S = 40
COMPARED_S, COMPARED_FROM_S = 5, range(28, 35)
SPEAK = """
import sys, numpy as np
from dataclasses import replace
from pathlib import Path
from rwc_pw.streaming import ConversionConfig, StreamingConverter
from tests.rvc.tone import tone
voice, models, *told_s = sys.argv[1:]
it = StreamingConverter(ConversionConfig(
    model_path=Path(voice), assets_dir=Path(models), backend="streaming", chunk_size=4800))
it.initialize()
said = tone(1)
for second in range(1, int(told_s[-1]) + 1):
    for at in range(0, 48_000, 4800):
        it.convert_chunk(said[at : at + 4800])
    if str(second) in told_s:
        status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
        print(second, "s:", int(status["VmRSS"].split()[0]) // 1024, "MB", "torch" in sys.modules, flush=True)
"""


class Bench:
    """Voices of real size and what they need, under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "assets"
        make_assets(self.models, is_small=False)
        self._store = VoiceStore(root / "models")

    def voice(self, rate_hz: int) -> Path:
        name = f"Real{rate_hz}"
        if name not in self._store.names():
            make_voice(self.root / f"{name}.pth", rate_hz=rate_hz, is_small=False)
            add_voice(self.root / f"{name}.pth", self._store)
        return self._store.folder / name

    def sources(self, rate_hz: int) -> VoiceSources:
        return VoiceSources.find(StoredVoice.read(self.voice(rate_hz)), self.models, FCPE)

    def small_config(self) -> ConversionConfig:
        """Of a voice that converts as a real one does, and quickly."""
        models = self.root / "small"
        if "Small" not in self._store.names():
            make_assets(models)
            make_voice(self.root / "Small.pth")
            add_voice(self.root / "Small.pth", self._store)
        return ConversionConfig(
            model_path=self._store.folder / "Small", assets_dir=models, backend="streaming", chunk_size=4800
        )

    def config(self, rate_hz: int, block_frames: int) -> ConversionConfig:
        size = block_frames * SAMPLE_RATE_HZ // 100
        return ConversionConfig(
            model_path=self.voice(rate_hz), assets_dir=self.models, backend="streaming", chunk_size=size
        )


def flop(bench: Bench) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from rwc_pw.rvc.network.carry import Carry
    from rwc_pw.rvc.network.content import Content
    from rwc_pw.rvc.network.decoder import Decoder
    from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
    from rwc_pw.rvc.network.torch_operations import TorchOperations

    ops = TorchOperations("cpu", torch.float32)
    content = Content(ops, bench.models / "rvc/embedders/contentvec", "v2")
    for rate_hz in RATES_HZ:
        sources = bench.sources(rate_hz)
        network, weights = sources.network, sources.weights()
        text, decoder = TextEncoder(ops, weights, network), Decoder(ops, weights, network)
        told = []
        for block in FLOP_BLOCKS:
            plan = Plan(block)
            by_distance, by_frame = map(torch.from_numpy, relative_positions(plan.text_frames, network.heads))
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                content(torch.zeros(1, plan.window_samples))
                pitch = torch.ones(plan.text_frames).long()
                text(torch.zeros(1, plan.text_frames, FEATURES["v2"]), by_distance, by_frame, pitch)
                source = torch.zeros(1, 1, plan.decoded_frames * decoder.samples_per_frame)
                frames = torch.zeros(1, network.inter, plan.decoded_frames)
                decoder(frames, source, Carry(ops, plan.look_ahead_frames))
            ratio = counter.get_total_flops() / 1e9 / (LEAST_GFLOP[rate_hz] * block / 100)
            told.append(f"{10 * block} ms {ratio:.2f}")
        print(f"flop {rate_hz // 1000} kHz, over the least: {', '.join(told)}", flush=True)


def curve(bench: Bench) -> None:
    import torch

    from rwc_pw.rvc.network.carry import Carry
    from rwc_pw.rvc.network.decoder import Decoder
    from rwc_pw.rvc.network.torch_operations import TorchOperations

    sources, ops = bench.sources(40_000), TorchOperations("cpu", torch.float32)
    network, weights = sources.network, dict(sources.weights())
    random = np.random.default_rng(0)
    for name, weight in weights.items():  # as trained ones do, they keep the size of what they are given
        if name.startswith(("dec.noise_convs", "dec.conv_post")):
            weights[name] = random.standard_normal(weight.shape, np.float32) * weight[0].size ** -0.5
        elif name.startswith("dec.") and name.endswith("weight_g"):
            direction = weights[f"{name[:-1]}v"].astype(np.float32)
            weights[name] = np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True))
    decoder, count, block = Decoder(ops, weights, network), 120, 10
    frames = torch.from_numpy(random.standard_normal((1, network.inter, count), np.float32))
    source = torch.from_numpy(0.1 * random.standard_normal((1, 1, count * decoder.samples_per_frame), np.float32))

    def said(ahead: int, block: int = block) -> Samples:
        before, sound = None, []
        for start in range(0, count, block):
            final, end = min(start + block, count), min(start + block + ahead, count)
            samples = slice(start * decoder.samples_per_frame, end * decoder.samples_per_frame)
            carry = Carry(ops, end - final, before)
            part = decoder(frames[..., start:end], source[..., samples], carry)
            sound.append(part[0, 0, : block * decoder.samples_per_frame])
            before = carry.after
        return np.asarray(torch.cat(sound))

    with torch.no_grad():
        offline = said(0, block=count)
        for ahead in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 35):
            error = np.sqrt(np.mean((said(ahead) - offline) ** 2) / np.mean(offline**2))
            print(f"curve: {10 * ahead} ms ahead: error {20 * np.log10(max(error, 1e-9)):.1f} dB", flush=True)


def blocks(bench: Bench) -> None:
    for rate_hz in RATES_HZ:
        for block in BLOCKS:
            it = StreamingConverter(bench.config(rate_hz, block))
            it.initialize()
            started_s = time.monotonic()
            again = StreamingConverter(bench.config(rate_hz, block))
            again.initialize()
            opened_s = time.monotonic() - started_s
            times_ms = 1000 * np.array(spent_s(it, block * SAMPLE_RATE_HZ // 100, SECONDS))
            middle, most, nearly_all = np.percentile(times_ms, [50, 95, 99])
            print(
                f"blocks {rate_hz // 1000} kHz, {10 * block} ms: {middle:.0f}, {most:.0f}, {nearly_all:.0f} ms; "
                f"{'keeps up' if nearly_all <= 9 * block else 'too slow'}; opened again in {opened_s:.1f} s",
                flush=True,
            )
            if nearly_all <= 9 * block:
                break


def memory(bench: Bench) -> None:
    StreamingConverter(bench.config(48_000, 10)).initialize()
    print(f"memory: {spoken_by_another(bench.voice(48_000), bench.models, 10, 60)}", flush=True)


def hour(bench: Bench) -> None:
    config = bench.small_config()
    StreamingConverter(config).initialize()
    told = spoken_by_another(config.model_path, config.assets_dir, *range(600, 3601, 600))
    print(f"hour: {told}", flush=True)


def spoken_by_another(voice: Path | None, models: Path | None, *told_s: int) -> str:
    """The memory of a process that speaks for so long, when it has spoken for so long."""
    arguments = [str(voice), str(models), *map(str, told_s)]
    return "; ".join(subprocess.check_output([sys.executable, "-c", SPEAK, *arguments], text=True).splitlines())


def delay(bench: Bench) -> None:
    paths = Paths.from_environment(os.environ)
    name = f"Measured{os.getpid()}"  # in the user's own store: there the daemon looks for it
    make_voice(bench.root / f"{name}.pth", rate_hz=40_000, is_small=False)
    add_voice(bench.root / f"{name}.pth", VoiceStore(paths.voices_dir))
    try:
        for block in DELAY_BLOCKS:
            size = block * SAMPLE_RATE_HZ // 100
            config = Config(voice=name, rvc_models=str(bench.models), rvc_chunk_size=size)
            with tempfile.TemporaryDirectory(dir=bench.root) as root:
                frames, status = perform(config, paths, warble(DELAY_S), SAMPLE_RATE_HZ, Path(root))
            spoken, heard = frames[np.flatnonzero(frames[:, 0])[0] :].T
            starts = [second * SAMPLE_RATE_HZ for second in COMPARED_FROM_S]  # by then the converter has its time
            windows = [slice(at, at + COMPARED_S * SAMPLE_RATE_HZ) for at in starts]
            found = [delay_samples(spoken[it], heard[it], longest=SAMPLE_RATE_HZ // 2) for it in windows]
            measured_ms = 1000 * median(found) / SAMPLE_RATE_HZ  # where something came too late one may find another
            print(
                f"delay, blocks of {10 * block} ms: declared {status.latency_ms} ms, measured {measured_ms:.1f} ms, "
                f"late {status.late_ms} ms of {1000 * DELAY_S} ms",
                flush=True,
            )
    finally:
        VoiceStore(paths.voices_dir).remove(name)


def edges(bench: Bench) -> None:
    it = StreamingConverter(bench.config(40_000, 10))
    it.initialize()
    size, said, at_edges, inside = 4800, tone(1.0), [], []
    before = np.zeros(2)
    for number in range(3000):
        heard = it.convert_chunk(said[number % 10 * size :][:size]).astype(np.float64)
        bends = np.diff(np.concatenate([before, heard]), 2) ** 2
        before = heard[-2:]
        if number > 4:  # the voice is there
            at_edges.append(bends[: size // 10].mean())
            inside.append(bends[size // 10 :].mean())
    print(f"edges: {np.mean(at_edges) / np.mean(inside):.3f} in 5 minutes", flush=True)


def drift(bench: Bench) -> None:
    it = StreamingConverter(bench.small_config())
    it.initialize()
    size, said = 4800, warble(4.0)
    found = []
    for minute in range(11):
        heard = np.concatenate([it.convert_chunk(said[at : at + size]) for at in range(0, len(said), size)])
        found.append(delay_samples(said, heard, longest=2 * size))
        for number in range(560 if minute < 10 else 0):
            it.convert_chunk(said[number % 40 * size :][:size])
    print(f"drift: declared {it.latency_samples} samples; each minute {found}", flush=True)


def on_gpu(bench: Bench) -> None:
    if not gpu.device():
        print("gpu: there is none", flush=True)
        return
    it = StreamingConverter(bench.config(40_000, GPU_BLOCK))
    it.initialize()
    medians_ms = []
    for how in ("one graph", "operation by operation"):
        times_ms = 1000 * np.array(spent_s(it, GPU_BLOCK * SAMPLE_RATE_HZ // 100, SECONDS))
        middle, nearly_all = np.percentile(times_ms, [50, 99])
        medians_ms.append(middle)
        print(f"gpu, {10 * GPU_BLOCK} ms, {how}: {middle:.2f}, {nearly_all:.2f} ms", flush=True)
        it._stream._step._graph = None
    print(f"gpu: {medians_ms[1] / medians_ms[0]:.1f} times as fast in one graph", flush=True)


def pitch(bench: Bench) -> None:
    reference = package_folder("ultimate_rvc") / "rvc/train/models/reference"
    sound = soundfile.read(reference / "reference.wav", dtype="float32")[0]
    expected_hz = np.load(reference / "pitch_fine.npy")
    for detector in ("fcpe", "swiftf0"):
        it = StreamingConverter(replace(bench.small_config(), f0_method=detector))
        it.initialize()
        plan, stream = it._plan, it._stream
        size = plan.block_frames * CONTENT_FRAME_SAMPLES
        found: list[Samples] = []
        for at in range(0, len(sound) - size, size):
            stream.convert(sound[at : at + size])
            found.append(stream._step._state.pitch_hz[-plan.block_frames :])
        found_hz = np.concatenate(found)[plan.delay_frames :]
        theirs_hz = expected_hz[: len(found_hz)]
        both = (found_hz > 0) & (theirs_hz > 0)
        cents = np.median(np.abs(1200 * np.log2(found_hz[both] / theirs_hz[both])))
        voicing = np.mean((found_hz > 0) != (theirs_hz > 0))
        print(f"pitch: {detector} {cents:.1f} cents, voicing differs in {100 * voicing:.1f} %", flush=True)


def batch(bench: Bench) -> None:
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E

    torch.save(E2E(4, 1, (2, 2)).state_dict(), bench.models / "rvc/predictors/rmvpe.pt")
    voice = bench.voice(40_000)
    streaming = StreamingConverter(bench.config(40_000, 10))
    plain = BatchConverter(ConversionConfig(model_path=voice, assets_dir=bench.models))
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # what both start inherits it
    try:
        with patch.object(CpuNetwork, "settings", {**CpuNetwork.settings, "INFERENCE_NUM_THREADS": 1}):
            streaming.initialize()
        shares = {}
        for name, it, size, seconds in (("streaming", streaming, 4800, 20), ("batch", plain, 4096, 3)):
            it.initialize()
            it.convert_chunk(tone(size / SAMPLE_RATE_HZ))
            before_s = processor_s(it)
            spent_s(it, size, seconds)
            shares[name] = (processor_s(it) - before_s) / seconds
        plain.cleanup()
    finally:
        os.sched_setaffinity(0, allowed)
    told = ", ".join(f"{name} {share:.2f} s" for name, share in shares.items())
    print(f"batch: one thread, per second of sound {told}; {shares['streaming'] / shares['batch']:.3f}", flush=True)


def processor_s(it: ConversionBackend) -> float:
    """Of this process, or of the one that works for BatchConverter."""
    if isinstance(it, BatchConverter):
        pid = it._rvc._process.pid
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def spent_s(it: ConversionBackend, size: int, seconds: float) -> list[float]:
    said = np.concatenate([tone(1.0)] * 2)
    times_s = []
    for number in range(round(seconds * SAMPLE_RATE_HZ / size)):
        at = number * size % SAMPLE_RATE_HZ
        started_s = time.perf_counter()
        it.convert_chunk(said[at : at + size])
        times_s.append(time.perf_counter() - started_s)
    return times_s


ROWS = {
    "flop": flop,
    "curve": curve,
    "blocks": blocks,
    "memory": memory,
    "batch": batch,
    "delay": delay,
    "gpu": on_gpu,
    "pitch": pitch,
    "edges": edges,
    "drift": drift,
    "hour": hour,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="row", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rwc-pw-") as root:
        os.environ["XDG_STATE_HOME"] = f"{root}/state"
        bench = Bench(Path(root))
        for name in arguments.rows or ROWS:
            ROWS[name](bench)


if __name__ == "__main__":
    main()

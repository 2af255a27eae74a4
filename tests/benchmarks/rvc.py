"""Measures RVC voices on the real ultimate-rvc: python -m tests.benchmarks.rvc [ROW...] [--minutes MINUTES].

Needs the extra rwc-pw[rvc]. The voices are checkable ones (tests/rvc/checkable.py), small unless said: the smaller the
voice, the more our own share weighs. Rows:

convert   a file, converted by VoiceConverter and by ultimate-rvc's own convert(), each in a process of its own: seconds
          from start to end, and the most memory that the process and all below it held
long      the memory of VoiceConverter for three times the length over that for the length itself
chunks    one chunk through BatchConverter and its file in a plain and in our saving convert(), alternating, medians
import    a voice of real size (55 MB) and an index of 100 MB
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.audio.sola import Sola
from rwc_pw.conversion.rvc_batch import FRAME_SAMPLES, LEAST_PAST_SAMPLES, MARGIN_SAMPLES
from rwc_pw.streaming import BatchConverter, ConversionConfig
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.rvc.checkable import make_assets, make_index, make_voice
from tests.rvc.tone import tone

WATCH_INTERVAL_S = 0.05
CHUNKS_S = 4096 / SAMPLE_RATE_HZ, 1.0
REPEATS = 15
INDEX_VECTORS = 32_500  # of 768 float32: 100 MB

OURS = """
import sys
from pathlib import Path
from rwc_pw.voice_converter import VoiceConverter
voice, models, source, target = map(Path, sys.argv[1:])
VoiceConverter(voice, models).convert_voice(source, target, f0_method="fcpe")
"""
THEIRS = """
import sys
import torch
from ultimate_rvc.core.generate.common import convert
convert(sys.argv[1], sys.argv[2], "voice", f0_method="fcpe", index_rate=0.75)
"""
PLAIN = """
import sys, time
import torch
from ultimate_rvc.core.generate.common import convert
answers, sys.stdout = sys.stdout, sys.stderr
for number, line in enumerate(sys.stdin):
    started_s = time.monotonic()
    convert(line.strip(), f"{sys.argv[1]}/{number}", "voice", f0_method="fcpe", index_rate=0.75, make_directory=True)
    print(time.monotonic() - started_s, file=answers, flush=True)
"""
SAVING = """
import json, sys, time
from rwc_pw.rvc.worker import Worker
answers, sys.stdout = sys.stdout, sys.stderr
request = json.loads(sys.argv[1])
worker = Worker(request, lambda _: None)
for line in sys.stdin:
    started_s = time.monotonic()
    worker.convert({"sound": line.strip(), "settings": request["settings"]})
    print(time.monotonic() - started_s, file=answers, flush=True)
"""


class Bench:
    """A stored voice, what it needs, and the same in ultimate-rvc's layout, under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "assets"
        make_assets(self.models)
        make_voice(root / "Small.pth")
        self.store = VoiceStore(root / "store")
        self.voice = self.store.folder_of(add_voice(root / "Small.pth", self.store))
        theirs = self.models / "rvc/voice_models/voice"
        theirs.mkdir(parents=True)
        shutil.copy(root / "Small.pth", theirs)

    def environment(self, name: str) -> dict[str, str]:
        """For ultimate-rvc: every folder that it writes to below ``root``."""
        folders = {f"URVC_{kind}_DIR": str(self.root / name / kind) for kind in ("AUDIO", "TEMP", "CONFIG", "LOGS")}
        quiet = {"URVC_NO_LOGGING": "1", "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        return {**os.environ, **folders, **quiet, "URVC_MODELS_DIR": str(self.models)}

    def measured(self, name: str, program: str, *arguments: Path) -> tuple[float, float]:
        """Seconds, and the most MB that it held."""
        (self.root / name).mkdir(exist_ok=True)
        started_s = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=self.environment(name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(_resident_bytes, _family(process.pid))))
            threading.Event().wait(WATCH_INTERVAL_S)
        if process.returncode:
            raise SystemExit(f"{name} failed with {process.returncode}")
        return time.monotonic() - started_s, most / 1e6

    @contextmanager
    def timer(self, name: str, program: str, *arguments: str) -> "Iterator[Timer]":
        (self.root / name).mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**self.environment(name), "URVC_VOICE_MODELS_DIR": self._voices_of(name)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            yield Timer(process)
        finally:
            process.communicate()

    def _voices_of(self, name: str) -> str:
        return str(self.root / name / "voices" if name == "saving" else self.models / "rvc/voice_models")


class Timer:
    """A process that converts a file and tells the seconds."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, sound: Path) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(sound, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except OSError:  # it has ended
            continue
        for child in below:
            yield from _family(int(child))


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def speech(path: Path, minutes: float) -> Path:
    """A tone that swells and pauses as speech does; 16 bit, 44.1 kHz."""
    second = tone(1.0, 44_100)
    loudness = np.hanning(len(second)).astype(np.float32)
    with soundfile.SoundFile(path, "w", 44_100, 1) as file:
        for number in range(round(60 * minutes)):
            file.write(second * loudness * np.float32(0.3 + 0.7 * (number % 3) / 2))
    return path


def convert(bench: Bench, minutes: float) -> None:
    said = speech(bench.root / "said.wav", minutes)
    ours_s, ours_mb, theirs_s, theirs_mb = [], [], [], []
    for number in range(3):
        seconds, megabytes = bench.measured("ours", OURS, bench.voice, bench.models, said, bench.root / "out.wav")
        ours_s.append(seconds)
        ours_mb.append(megabytes)
        target = bench.root / f"theirs-{number}"
        target.mkdir()
        seconds, megabytes = bench.measured("theirs", THEIRS, said, target)
        theirs_s.append(seconds)
        theirs_mb.append(megabytes)
        shutil.rmtree(target)
    print(
        f"convert {minutes:g} min: ours {median(ours_s):.1f} s, {max(ours_mb):.0f} MB; "
        f"theirs {median(theirs_s):.1f} s, {max(theirs_mb):.0f} MB; "
        f"{median(ours_s) / median(theirs_s):.3f} x the time, {max(ours_mb) / max(theirs_mb):.3f} x the memory",
        flush=True,
    )


def long(bench: Bench, minutes: float) -> None:
    most_mb = {}
    for length in (minutes, 3 * minutes):
        said = speech(bench.root / "said.wav", length)
        _, most_mb[length] = bench.measured("ours", OURS, bench.voice, bench.models, said, bench.root / "out.wav")
    told = ", ".join(f"{length:g} min {megabytes:.0f} MB" for length, megabytes in most_mb.items())
    print(f"long: {told}", flush=True)


def chunks(bench: Bench, _: float) -> None:
    config = ConversionConfig(model_path=bench.voice, assets_dir=bench.models, use_rmvpe=False)
    request = {"voice": str(bench.voice), "scratch": str(bench.root / "saving"), "live": True}
    settings = asdict(config.rvc_settings())
    converter = BatchConverter(config)
    converter.initialize()
    with (
        bench.timer("plain", PLAIN, str(bench.root / "plain")) as plain,
        bench.timer("saving", SAVING, json.dumps({**request, "settings": settings})) as saving,
    ):
        for chunk_s in CHUNKS_S:
            size = round(chunk_s * SAMPLE_RATE_HZ)
            whole = -(-(size + Sola.overlap_samples + LEAST_PAST_SAMPLES) // FRAME_SAMPLES) * FRAME_SAMPLES
            said = tone(chunk_s)
            times_s: dict[str, list[float]] = {"chunk": [], "saving": [], "plain": []}
            for number in range(REPEATS + 2):
                sound = bench.root / f"{size}-{number}.wav"
                soundfile.write(sound, tone((whole + MARGIN_SAMPLES) / SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, subtype="FLOAT")
                started_s = time.monotonic()
                converter.convert_chunk(said)
                times_s["chunk"].append(time.monotonic() - started_s)
                times_s["saving"].append(saving(sound))
                times_s["plain"].append(plain(sound))
            chunk, ours, theirs = (1000 * median(times[2:]) for times in times_s.values())
            print(
                f"chunks of {1000 * chunk_s:.0f} ms: BatchConverter {chunk:.0f} ms; its convert() alone {ours:.0f} ms, "
                f"overhead {chunk - ours:+.1f} ms; plain convert() {theirs:.0f} ms",
                flush=True,
            )
    converter.cleanup()


def import_(bench: Bench, _: float) -> None:
    voice, index = bench.root / "Real.pth", bench.root / "Real.index"
    make_voice(voice, is_small=False)
    make_index(index, dimension=768, vectors=INDEX_VECTORS)
    told: list[float] = []
    started_s = time.monotonic()
    add_voice(voice, bench.store, index=index, on_progress=told.append)
    print(
        f"import of {voice.stat().st_size / 1e6:.0f} MB and an index of {index.stat().st_size / 1e6:.0f} MB: "
        f"{time.monotonic() - started_s:.1f} s, progress told {len(told)} times",
        flush=True,
    )


ROWS = {"convert": convert, "long": long, "chunks": chunks, "import": import_}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="row", default=[])
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rwc-pw-") as root:
        bench = Bench(Path(root))
        for name in arguments.rows or ROWS:
            ROWS[name](bench, arguments.minutes)


if __name__ == "__main__":
    main()

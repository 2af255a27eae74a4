"""What `rwc-pw bench` measures and shows."""

import json
import subprocess
import sys

import numpy as np
import pytest

from rwc_pw import bench as benching
from rwc_pw.bench import ChunkFigures, bench, recommended
from rwc_pw.streaming import ConversionConfig, IdentityBackend, conversion_times
from tests.clock import Clock

TAKES_S = 0.006


class Slow(IdentityBackend):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def convert_chunk(self, audio_chunk, context=None):
        self._clock.now_s += TAKES_S
        return audio_chunk


@pytest.fixture
def slow(monkeypatch):
    """Every conversion takes as long, whatever its size."""
    clock = Clock()
    monkeypatch.setattr(conversion_times, "time", clock)
    monkeypatch.setattr(benching, "create_backend", lambda _: Slow(clock))


@pytest.mark.usefixtures("slow")
def test_the_smallest_size_that_holds_is_found_and_its_delay_told():
    found = list(bench(ConversionConfig(), seconds=1, quantum=256))
    assert [(figures.chunk_samples, figures.keeps_up) for figures in found] == [
        (128, False),
        (256, False),
        (512, True),
        (1024, True),
    ]
    best = recommended(found)
    assert best.chunk_samples == 512
    assert best.p99_ms == pytest.approx(6)
    assert best.real_time_factor == pytest.approx(6 / (512 / 48))
    filling, converting, transport = 512 - 256, 256, 2 * 256
    assert best.delay_ms == (filling + converting + transport) / 48
    assert recommended(found[:2]) is None


def figures(size: int, delay_ms: float, keeps_up: bool = True) -> ChunkFigures:
    return ChunkFigures(size, size / 48, 0.5, 1.0, 1.0, 1.0, keeps_up, delay_ms)


def test_what_is_recommended_is_the_least_delay_with_which_the_machine_keeps_up_and_not_the_smallest_chunk():
    found = [figures(960, 60, keeps_up=False), figures(1920, 120), figures(2880, 100), figures(3840, 110)]
    assert recommended(found).chunk_samples == 2880


def test_of_equal_delays_the_cheaper_one_is_recommended():
    found = [figures(128, 30.4), figures(256, 30.0), figures(512, 30.2), figures(1024, 40)]
    assert recommended(found).chunk_samples == 512


def run(tmp_path, *arguments: str) -> subprocess.CompletedProcess[str]:
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "DATA", "STATE")}
    argv = [sys.executable, "-P", "-m", "rwc_pw", "bench", "--seconds", "1", *arguments]
    return subprocess.run(argv, env={"HOME": str(tmp_path), **homes}, capture_output=True, text=True, check=False)


def test_a_built_in_voice_is_measured_and_drawn(tmp_path):
    told = run(tmp_path, "--voice", "robot", "--json", "--picture", str(tmp_path / "bench.png"))
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["voice"] == "robot"
    sizes = [figures["chunk_samples"] for figures in found["chunks"]]
    assert sizes == sorted(sizes)
    assert found["recommended"] in [None, *sizes]
    assert all(np.isfinite(figures["delay_ms"]) for figures in found["chunks"])
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "STATE").glob("*"))  # a built-in voice's chunk is not ours to choose


def test_it_tells_people_what_to_choose_also_where_the_picture_cannot_be_written(tmp_path):
    (tmp_path / "bench.png").mkdir()
    done = run(tmp_path, "--voice", "robot", "--picture", str(tmp_path / "bench.png"))
    told = done.stdout.splitlines()
    assert "128 samples" in told[0]
    assert told[-1].startswith(("Choose it: `rwc-pw set --chunk-size", "This machine keeps up with none"))
    assert done.returncode == 1
    assert "Cannot write" in done.stderr

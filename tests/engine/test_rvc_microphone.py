"""RVC voices through the microphone, as apps hear them."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from rwc_pw.config import config_of
from rwc_pw.engine import live_voice
from rwc_pw.engine.chunk_size import AdaptiveChunk, ChosenChunks
from rwc_pw.engine.engine import VoiceEngine
from rwc_pw.engine.request import conversion_of
from rwc_pw.rvc import gpu
from rwc_pw.status import State
from rwc_pw.streaming import ConversionConfig
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS
from rwc_pw.system.paths import Paths
from tests.demo.test_demo import MEASURED, nothing_left_behind, recording
from tests.patience import PATIENCE_S
from tests.rvc.checkable import make_voice
from tests.servers import chromium
from tests.servers.fixtures import program, servers, start_headless  # noqa: F401 - fixtures
from tests.servers.program import configure
from tests.servers.pulse_client import Listening, record
from tests.servers.session import processes
from tests.servers.sound import RATE_HZ, PairRecorder, Player, undisturbed
from tests.test_daemon import PITCH_HZ, pitch_hz, voiced

pytestmark = pytest.mark.needs_rvc

SETTINGS = """
rvc_models = "{models}"
f0_method = "fcpe"
rvc_backend = "batch"
rvc_chunk_size = 16384
"""
SPEECH_S = 300  # longer than any test speaks, on a busy machine too
PORTS = "headless_microphone:capture_MONO", "rwc_voice:capture_MONO"
STREAMING = """
rvc_models = "{models}"
"""


@pytest.fixture
def checkable(headless, stored) -> Iterator[None]:
    """The voice Checkable, brought in once for all, among the voices of this process and of the programs it starts.

    Those are the same where the programs run from the checkout, too, which installed ones do not.
    """
    paths = Paths.from_environment(headless.environment)
    copies = [folder / stored.name for folder in {paths.voices_dir, paths.data_dir / "models"}]
    for copy in copies:
        shutil.copytree(stored, copy)
    yield
    for copy in copies:
        shutil.rmtree(copy)


@pytest.fixture
def at_home(headless, checkable, program, assets_dir):  # noqa: F811, ARG001
    """A program whose user has a voice of their own."""
    configure(program, SETTINGS.format(models=assets_dir))
    return program


def until_spoken_in(program, voice: str) -> None:  # noqa: F811
    with program.watched() as watch:
        watch.until(voice=voice, loading="", state="armed")


def is_at(heard: np.ndarray, hz: float, rate_hz: float = RATE_HZ) -> bool:
    """Whether what is left of the last half second is at this pitch, within 1 %; a busy machine may lose most of it."""
    half = heard[-int(rate_hz) // 2 :]
    return np.count_nonzero(half) > 0.02 * rate_hz and abs(pitch_hz(half, rate_hz) / hz - 1) < 0.01


def until_heard(headless, hz: float) -> None:
    """Wait until an app hears a voice at this pitch; on a busy machine some of it comes too late."""
    with Listening(headless, "rwc_voice") as app:
        app.until(lambda heard: is_at(heard, hz), seconds=1.0)


def until_chromium_hears(headless, hz: float) -> None:
    """Wait until a recording of Chromium's ends at this pitch."""
    is_heard = False
    while not is_heard:
        samples, rate_hz = chromium.record(headless, "RWC Voice", 3)
        is_heard = is_at(samples, hz, rate_hz)


@pytest.mark.needs("chromium")
def test_chromium_hears_a_voice_at_the_pitch_that_is_set_meanwhile(headless, program, assets_dir, tmp_path):  # noqa: F811
    """test_batch.py hears every rate, and every pitch."""
    configure(program, SETTINGS.format(models=assets_dir))
    make_voice(tmp_path / "Kind.pth", version="v2", rate_hz=48_000)
    program("voices", "add", str(tmp_path / "Kind.pth"))
    try:
        program("enable", "--voice", "Kind")
        until_spoken_in(program, "Kind")
        program("set", "--pitch", "5")
        assert program.status()["loading"] == ""
        with Player(headless, voiced(SPEECH_S)):
            until_chromium_hears(headless, PITCH_HZ * 2 ** (5 / 12))
    finally:
        program("use", "robot")
        program("voices", "remove", "Kind", "--yes")


def test_voices_change_from_built_in_to_rvc_and_back_and_the_real_one_is_never_heard(headless, at_home):
    at_home("enable", "--voice", "robot")
    with Player(headless, voiced(SPEECH_S)):
        at_home("use", "Checkable")
        until_spoken_in(at_home, "Checkable")
        at_home("set", "--pitch", "12")
        until_heard(headless, 2 * PITCH_HZ)
        at_home("bypass", "on")
        until_heard(headless, PITCH_HZ)
        at_home("bypass", "off")
        loading = at_home.status()
        assert (loading["state"], loading["loading"]) == ("degraded", "Checkable")
        assert not np.any(record(headless, "rwc_voice", 0.5))
        until_spoken_in(at_home, "Checkable")
        at_home("set", "--pitch", "0")
        at_home("use", "brighter")
        until_heard(headless, PITCH_HZ * 2 ** (4 / 12))


def test_a_voice_that_cannot_be_loaded_is_silence_and_a_reason(headless, at_home, tmp_path):
    configure(at_home, SETTINGS.format(models=tmp_path))  # nothing is there
    at_home("enable", "--voice", "Checkable")
    with at_home.watched() as watch:
        status = watch.until(loading="", state="degraded")
    assert "rwc-pw setup" in status["remedy"]
    with Player(headless, voiced(10)):
        assert not np.any(record(headless, "rwc_voice", 1.0))


def test_a_voice_that_cannot_be_loaded_is_told_to_whoever_chooses_it(at_home, tmp_path):
    at_home("enable", "--voice", "robot")
    configure(at_home, SETTINGS.format(models=tmp_path))  # nothing is there
    while (done := at_home.run("use", "Checkable")).returncode == 0:
        assert "is being loaded" in done.stdout  # where this machine takes long to find out
    told = done.stderr
    assert "Checkable does not speak yet: RVC model files are missing" in told
    assert "rwc-pw setup" in told


def test_a_converter_that_dies_is_silence_and_then_speaks_again(headless, at_home):
    at_home("enable", "--voice", "Checkable")
    until_spoken_in(at_home, "Checkable")
    [worker] = [pid for pid, line in processes(headless.root) if "rwc_pw.rvc.worker" in line]
    with (
        Player(headless, voiced(SPEECH_S)),
        PairRecorder(headless, *PORTS),
        at_home.watched() as watch,
    ):
        watch.until(state="running")
        os.kill(worker, signal.SIGKILL)
        watch.until(state="degraded")
        watch.until(state="running")
        until_heard(headless, PITCH_HZ)


def test_the_missions_own_command_brings_a_voice_in_and_speaks(headless, program, assets_dir, tmp_path):  # noqa: F811
    configure(program, SETTINGS.format(models=assets_dir))
    model = tmp_path / "models/Voice/model.pth"
    make_voice(model)
    arguments = ("real-time", "-m", str(model), "-p", "2", "-r", "0.5", "-c", "16384")
    process = subprocess.Popen(program.argv(*arguments), env=program.environment, stdout=subprocess.DEVNULL)
    try:
        headless.wait_for(lambda graph: graph.feeders(), timeout_s=PATIENCE_S)
        with Player(headless, voiced(SPEECH_S)):
            until_heard(headless, PITCH_HZ * 2 ** (2 / 12))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    assert "Voice" in program("voices")
    program("use", "robot")
    program("voices", "remove", "Voice", "--yes")


def test_the_demo_speaks_in_a_voice_of_ones_own_and_leaves_nothing(
    servers,  # noqa: F811, ARG001
    assets_dir,
    voice_file,
    tmp_path,
    tmp_path_factory,
):
    with nothing_left_behind(tmp_path_factory.mktemp("demo")) as demo:  # not tmp_path: too long for sockets' paths
        demo.configure(f"pitch = 5\n{SETTINGS.format(models=assets_dir)}")
        program = (sys.executable, "-P", "-m", "rwc_pw", "voices")
        subprocess.run((*program, "add", str(voice_file)), env=demo.environment, check=True)
        soundfile.write(tmp_path / "said.wav", voiced(4), RATE_HZ)
        try:
            told = demo("--voice", "Checkable", "--input", str(tmp_path / "said.wav"))
        finally:
            subprocess.run((*program, "remove", "Checkable", "--yes"), env=demo.environment, check=True)
        assert MEASURED.search(told)
        _, heard = recording(demo)
        ends = range(RATE_HZ // 2, len(heard), RATE_HZ // 10)
        assert any(is_at(heard[:end], PITCH_HZ * 2 ** (5 / 12)) for end in ends)


@pytest.mark.needs("chromium")
def test_chromium_hears_the_streaming_converter(headless, at_home, assets_dir):
    configure(at_home, f"{STREAMING.format(models=assets_dir)}pitch = 5\n")
    at_home("enable", "--voice", "Checkable")
    until_spoken_in(at_home, "Checkable")
    chunks_file = Path(at_home.environment["XDG_STATE_HOME"]) / "rwc-pw/chunks.json"
    chosen = json.loads(chunks_file.read_text())  # at the first start
    assert list(chosen) == ["Checkable|fcpe|cpu|1"]
    with Player(headless, voiced(SPEECH_S)):
        until_chromium_hears(headless, PITCH_HZ * 2 ** (5 / 12))
        at_home("set", "--pitch", "-12")
        until_heard(headless, PITCH_HZ / 2)
    recommended = json.loads(at_home("bench", "--seconds", "1", "--json"))["recommended"]
    if recommended:  # a busy machine may keep up with none
        chosen["Checkable|fcpe|cpu|1"] = recommended
    assert json.loads(chunks_file.read_text()) == chosen


def test_nothing_that_changes_while_people_listen_leaves_a_gap(headless, program, assets_dir, tmp_path):  # noqa: F811
    configure(program, f"{STREAMING.format(models=assets_dir)}rvc_chunk_size = 4800\n")
    settings = ("--pitch", "1"), ("--index-rate", "0.2"), ("--protect", "0.5")
    for seed, name in enumerate(("Anna", "Otto")):
        make_voice(tmp_path / f"{name}.pth", seed=seed)
        program("voices", "add", str(tmp_path / f"{name}.pth"))
    try:
        program("enable", "--voice", "Anna")
        until_spoken_in(program, "Anna")
        with (
            Player(headless, voiced(SPEECH_S)),
            PairRecorder(headless, *PORTS) as recorder,
        ):
            recorder.wait(2 * RATE_HZ, timeout_s=PATIENCE_S)
            program("use", "Otto")
            with program.watched() as watch:
                watch.until(voice="Otto", loading="")
            for change in settings:
                undisturbed(lambda change=change: has_changed(program, recorder, change))
            recorder.wait(len(recorder.frames()) + RATE_HZ, timeout_s=PATIENCE_S)
            said, heard = recorder.frames()[RATE_HZ:].T
            told = program.status()
            assert "voice in use" in program.complaint("voices", "remove", "Otto", "--yes", code=2)
    finally:
        program("use", "robot")
        for name in ("Anna", "Otto"):
            program("voices", "remove", name, "--yes")
    assert pitch_hz(heard, RATE_HZ) == pytest.approx(PITCH_HZ * 2 ** (1 / 12), rel=0.01)
    assert gaps_ms(heard) <= gaps_ms(said) + lost_ms(told) + 10  # only what a busy machine has not done in time


def has_changed(program, recorder: PairRecorder, change: tuple[str, str]) -> bool | None:  # noqa: F811
    """Change a setting; None if sound was lost meanwhile."""
    before_ms = lost_ms(program.status())
    assert program("set", *change) == ""  # it is not loaded again
    recorder.wait(len(recorder.frames()) + RATE_HZ // 2, timeout_s=PATIENCE_S)
    return True if lost_ms(program.status()) == before_ms else None


def lost_ms(status: dict[str, Any]) -> float:
    """How much sound came too late or was dropped."""
    return status["late_ms"] + status["dropped_ms"]


def gaps_ms(sound: np.ndarray) -> int:
    """How long it is much softer than most of the time."""
    periods = np.abs(sound[: len(sound) // 480 * 480].reshape(-1, 480)).max(axis=1)
    return 10 * np.count_nonzero(periods < 0.5 * np.median(periods))


@pytest.mark.usefixtures("checkable")
def test_the_chunk_follows_the_machine_while_people_listen(
    headless,
    program,  # noqa: F811
    assets_dir,
    monkeypatch,
):
    """The machine is taken to be too busy for chunks of 40 ms."""

    class Busy(AdaptiveChunk):
        def better(self, times, device):
            return 4800 if times.chunk_size == 1920 else None

    monkeypatch.setattr(live_voice, "AdaptiveChunk", Busy)
    paths = in_process(program, assets_dir, monkeypatch)
    voice = chosen_for(paths)
    ChosenChunks(paths.chunks_file).keep(voice, 1920)

    def has_adapted(it: VoiceEngine) -> bool:
        return ChosenChunks(paths.chunks_file).get(voice) == 4800 and not it.status().loading

    latency_ms, heard = heard_when(has_adapted, headless, paths)
    assert latency_ms > 100
    assert pitch_hz(heard, RATE_HZ) == pytest.approx(PITCH_HZ, rel=0.01)


@pytest.mark.usefixtures("checkable")
@pytest.mark.parametrize(
    ("chunks", "pinned"),
    [(1 + TRIAL_CHUNKS // 2, ""), (TRIAL_CHUNKS + 10, ""), (TRIAL_CHUNKS + 10, "rvc_chunk_size = 4800\n")],
    ids=["when tried", "while it speaks", "while it speaks in chunks of the user's choice"],
)
def test_where_the_gpu_fails_there_is_silence_with_a_reason_until_the_cpu_speaks(
    chunks,
    pinned,
    headless,
    program,  # noqa: F811
    assets_dir,
    monkeypatch,
):
    """The CPU, taken for a GPU: torch computes on it, and fails after so many chunks."""
    monkeypatch.setattr(gpu, "_found", lambda: "cpu")
    monkeypatch.setattr(gpu, "_failed", threading.Event())
    from rwc_pw.rvc import gpu_voice  # it needs the extra

    computed, reasons = itertools.count(), set()

    class Failing(gpu_voice.GpuVoice):
        def __call__(self, *block):
            if next(computed) == chunks:
                raise RuntimeError("CUDA error: the device is lost")
            return super().__call__(*block)

    monkeypatch.setattr(gpu_voice, "GpuVoice", Failing)
    paths = in_process(program, assets_dir, monkeypatch, pinned)
    voice = chosen_for(paths)
    ChosenChunks(paths.chunks_file).keep(voice, 4800)

    def speaks_again(it: VoiceEngine) -> bool:
        status = it.status()
        if gpu.has_failed():
            reasons.add(status.reason)
        return gpu.has_failed() and it.status().state is State.RUNNING

    _, heard = heard_when(speaks_again, headless, paths)
    if not pinned:
        assert ChosenChunks(paths.chunks_file).get(voice)  # for the CPU, anew
    assert "the GPU failed, and the voice Checkable is being loaded" in reasons
    assert pitch_hz(heard, RATE_HZ) == pytest.approx(PITCH_HZ, rel=0.01)


def chosen_for(paths: Paths) -> ConversionConfig:
    return conversion_of(config_of(paths), ChosenChunks(paths.chunks_file), paths)


def in_process(program, assets_dir, monkeypatch, more: str = "") -> Paths:  # noqa: F811
    """Where an engine of this process finds its settings: it speaks as Checkable."""
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    configure(program, f'{STREAMING.format(models=assets_dir)}voice = "Checkable"\n{more}')
    return Paths.from_environment(program.environment)


def heard_when(
    expected: Callable[[VoiceEngine], bool],
    headless,
    paths: Paths,
) -> tuple[float | None, np.ndarray]:
    """The declared delay, and half a second of what is heard, once the engine is as expected."""

    async def heard() -> tuple[float | None, np.ndarray]:
        changed = asyncio.Event()
        it = VoiceEngine(config_of(paths), paths, changed.set)
        running = asyncio.ensure_future(it.run())
        await it.settle(PATIENCE_S)
        recorder = PairRecorder(headless, *PORTS)
        await asyncio.to_thread(recorder.__enter__)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not expected(it):
                    await changed.wait()
                    changed.clear()
            await asyncio.to_thread(recorder.wait, len(recorder.frames()) + RATE_HZ, PATIENCE_S)
            return it.status().latency_ms, recorder.frames()[-RATE_HZ // 2 :, 1]
        finally:
            await asyncio.to_thread(recorder.__exit__)
            running.cancel()
            await asyncio.wait([running])

    with Player(headless, voiced(SPEECH_S)):
        return asyncio.run(heard())

"""Which voice is loaded, and which one speaks meanwhile; the loading itself, which takes the extra, is stood in for."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rwc_pw.audio.crossfade import FADE_SAMPLES
from rwc_pw.audio.samples import Samples
from rwc_pw.config import Config
from rwc_pw.conversion.backend import IdentityBackend
from rwc_pw.engine import engine
from rwc_pw.engine import loader as loading
from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire.supervision import NodeState
from rwc_pw.status import State, describe
from rwc_pw.streaming import ConversionConfig, StreamingPipeline
from rwc_pw.streaming.conversion_times import ConversionTimes
from rwc_pw.system.paths import Paths
from tests.patience import PATIENCE_S

CHUNK = 4800
NO_MEMORY = RwcPwError("There is no memory.", "Close something.")


class Voice(IdentityBackend):
    """A loaded voice, which can be adjusted; what it says is the negative of what was said."""

    def __init__(self, model_path: Path | None = None) -> None:
        self.pitch = 0.0
        self._model_path = model_path
        self.given_back = threading.Event()

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        return -audio_chunk

    def adjust(self, config: ConversionConfig) -> bool:
        self.pitch = config.pitch_shift
        return config.model_path is not None and config.model_path == self._model_path

    def cleanup(self) -> None:
        self.given_back.set()


class Loader:
    """Loads at once, or fails."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.loaded: list[Voice] = []
        self.calls = 0
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, conversion: ConversionConfig, _chunks: int) -> tuple[Voice, ConversionTimes]:
        self.calls += 1
        self.begun.set()
        await self.may_end.wait()
        if self.error:
            raise self.error
        self.loaded.append(Voice(conversion.model_path))
        return self.loaded[-1], ConversionTimes(CHUNK)


class Streams:
    """Stands in for a connection and its streams: what is said goes into the pipeline that it was given last."""

    def __init__(self, pipeline: StreamingPipeline) -> None:
        self.streams = self.transport = self
        self.pipeline = pipeline
        self.is_flowing = False
        self.skipped_samples = 0
        self.have_ended = False

    def speak(self, samples: int) -> Samples:
        """What is heard while ones are said."""
        self.pipeline.process_input(np.ones(samples, np.float32))
        return self.pipeline.get_output(samples, PATIENCE_S)

    def kill(self) -> None:
        self.have_ended = True

    def replace_pipeline(self, pipeline: StreamingPipeline) -> None:
        self.pipeline = pipeline

    def adapt(self, _: object) -> None:
        """No microphone is recorded."""


class ObservedEngine(engine.VoiceEngine):
    def __init__(self, home: Path) -> None:
        self.changed = asyncio.Event()
        super().__init__(Config(), Paths.from_environment({"HOME": str(home)}), self.changed.set)


def voice_of(name: str) -> Config:
    return Config(voice=name, rvc_backend="batch")  # which a GPU need not be looked for


@asynccontextmanager
async def running(home: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ObservedEngine, Loader]]:
    """An engine that loads voices, without PipeWire around it."""
    loader = Loader()
    patch.setattr(loading, "load", loader)
    patch.setattr(loading, "_kind", lambda conversion: conversion.model_path)
    it = ObservedEngine(home)
    it._nodes.state = NodeState(fault=None)
    it._pipeline.start()
    at_work = asyncio.ensure_future(it._loader.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield it, loader
    finally:
        at_work.cancel()
        await asyncio.wait([at_work])
        it._pipeline.stop()


async def until(it: ObservedEngine, **expected: object) -> None:
    """Wait until the status is so."""
    while any(getattr(it.status(), name) != value for name, value in expected.items()):
        await change_of(it)


async def change_of(it: ObservedEngine) -> None:
    it.changed.clear()
    await it.changed.wait()


def test_where_a_voice_cannot_be_loaded_the_reason_is_told_until_another_is_chosen(tmp_path, monkeypatch):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            loader.error = NO_MEMORY
            it.apply(voice_of("Otto"))
            await until(it, loading="")
            assert "There is no memory" in it.status().reason
            remedy = "Close something. It is tried again by itself, after at most 10 minutes."
            assert json.loads(it.status().to_json())["remedy"] == dict(describe(it.status()))["Remedy"] == remedy
            loader.error = None
            it.apply(voice_of("Bert"))
            await until(it, voice="Bert", loading="")
            assert it.status().reason == ""

    asyncio.run(change())


@pytest.mark.parametrize(("flows", "state"), [(True, State.RUNNING), (False, State.ARMED)])
def test_only_sound_that_flows_is_running(tmp_path, monkeypatch, flows, state):
    async def look() -> None:
        async with running(tmp_path, monkeypatch) as (it, _):
            it._nodes.state = NodeState(fault=None, listeners=("Zoom",), flows=flows)
            assert it.status().state is state

    asyncio.run(look())


def test_what_is_set_while_a_voice_is_loaded_holds_for_it(tmp_path, monkeypatch):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            loader.may_end.clear()
            it.apply(voice_of("Otto"))
            await loader.begun.wait()
            it.apply(replace(it.config, pitch=3.0))
            loader.may_end.set()
            await until(it, voice="Otto", loading="")
            assert [voice.pitch for voice in loader.loaded] == [3.0]

    asyncio.run(change())


def test_what_was_on_its_way_when_the_bypass_ends_is_not_heard(tmp_path, monkeypatch):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, _):
            it.set_bypass(True)
            bypassed = it._pipeline
            said = np.ones(it.config.chunk_size // 2, np.float32)
            for _ in range(8):
                bypassed.process_input(said)
                bypassed.get_output(len(said), PATIENCE_S)
            it.set_bypass(False)
            assert it._pipeline is not bypassed
            delay_ms = bypassed.get_metrics().total_latency_ms
            assert delay_ms > 0
            assert it.status().dropped_ms == pytest.approx(delay_ms, abs=0.05)

    asyncio.run(change())


@pytest.mark.parametrize(
    "config",
    [Config(), voice_of("Otto"), replace(voice_of("Otto"), chunk_size=CHUNK)],
    ids=["built in", "RVC", "RVC in chunks of the same size"],
)
def test_once_the_bypass_has_ended_not_a_sample_of_what_is_said_is_heard_unconverted(tmp_path, monkeypatch, config):
    monkeypatch.setattr(engine, "create_backend", lambda _: Voice())

    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, _):
            it._nodes._connection = streams = Streams(it._pipeline)
            it.apply(config)
            await until(it, voice=config.voice, loading="")
            half = it._pipeline.chunk_size // 2  # of a chunk: the other half is said after the change
            assert streams.speak(3 * half).min() < 0
            it.set_bypass(True)
            half = it._pipeline.chunk_size // 2
            assert streams.speak(5 * half).max() > 0
            assert not streams.have_ended
            it.set_bypass(False)
            assert streams.have_ended  # and with them what they were given before
            heard = [streams.speak(5 * half)]
            await until(it, voice=config.voice, loading="")
            heard.append(streams.speak(3 * it._pipeline.chunk_size))
            assert np.concatenate(heard).max() <= 0
            assert heard[-1].min() < 0

    asyncio.run(change())


def test_the_bypass_ends_also_where_no_other_pipeline_can_be_made(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, _):
            it._nodes._connection = streams = Streams(it._pipeline)
            it.set_bypass(True)
            streams.speak(4 * it.config.chunk_size)
            monkeypatch.setattr(it, "_new_pipeline", fail)
            with pytest.raises(RuntimeError):
                it.set_bypass(False)
            heard = streams.speak(4 * it.config.chunk_size)
            assert not heard[FADE_SAMPLES:].any()

    asyncio.run(change())


def test_while_the_real_voice_is_let_out_a_voice_that_cannot_be_loaded_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "FIRST_RETRY_S", 0.0)

    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            loader.error = NO_MEMORY
            loader.may_end.clear()
            it.apply(voice_of("Otto"))
            await loader.begun.wait()
            it.set_bypass(True)
            loader.may_end.set()
            await change_of(it)
            assert (it.status().reason, it.status().loading, loader.calls) == ("", "", 1)
            it.set_bypass(False)
            await until(it, loading="")
            assert "There is no memory" in it.status().reason
            assert it.status().voice == ""

    asyncio.run(change())


def test_a_voice_that_speaks_is_not_said_to_fail_where_another_size_of_chunk_for_it_does(tmp_path, monkeypatch):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            it.apply(voice_of("Otto"))
            await until(it, voice="Otto", loading="")
            loader.error = NO_MEMORY
            it._loader.want(it.config)  # as when the chunk is adapted
            await until(it, loading="")
            assert it._loader.fault
            assert it.status().reason == ""

    asyncio.run(change())


@pytest.mark.parametrize("config", [voice_of("Bert"), Config(), Config(chunk_size=CHUNK)], ids=["RVC", "short", "long"])
@pytest.mark.parametrize("kind", [lambda conversion: conversion.model_path, lambda _: "any"], ids=["another", "same"])
def test_a_voice_that_is_replaced_while_nobody_listens_is_given_back_then(tmp_path, monkeypatch, config, kind):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            monkeypatch.setattr(loading, "_kind", kind)
            it.apply(voice_of("Otto"))
            await until(it, voice="Otto", loading="")
            it.apply(config)
            await until(it, voice=config.voice, loading="")
            assert await asyncio.to_thread(loader.loaded[0].given_back.wait, PATIENCE_S)
            assert not any(voice.given_back.is_set() for voice in loader.loaded[1:])

    asyncio.run(change())

"""Which voice is loaded, and which one speaks meanwhile; the loading itself, which takes the extra, is stood in for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rwc_pw import engine, loading
from rwc_pw.config import Config
from rwc_pw.errors import RwcPwError
from rwc_pw.files.paths import Paths
from rwc_pw.pipewire.node_manager import NodeState
from rwc_pw.streaming import ConversionConfig
from rwc_pw.streaming.backend import SilentBackend
from rwc_pw.streaming.conversion_times import ConversionTimes
from tests.patience import PATIENCE_S

CHUNK = 4800
NO_MEMORY = RwcPwError("There is no memory.", "Close something.")


class Voice(SilentBackend):
    """A loaded voice, which can be adjusted."""

    def __init__(self) -> None:
        self.pitch = 0.0

    def adjust(self, config: ConversionConfig) -> bool:
        self.pitch = config.pitch_shift
        return config.model_path is not None


class Loader:
    """Loads at once, or fails."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.loaded: list[Voice] = []
        self.calls = 0
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, _: ConversionConfig, _chunks: int) -> tuple[Voice, ConversionTimes]:
        self.calls += 1
        self.begun.set()
        await self.may_end.wait()
        if self.error:
            raise self.error
        self.loaded.append(Voice())
        return self.loaded[-1], ConversionTimes(CHUNK)


class ObservedEngine(engine.VoiceEngine):
    def __init__(self, home: Path) -> None:
        self.changed = asyncio.Event()
        super().__init__(Config(), Paths.from_environment({"HOME": str(home)}), self.changed.set)


def voice_of(name: str) -> Config:
    return Config(voice=name, rvc_backend="batch")  # which a graphics card need not be looked for


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
            loader.error = None
            it.apply(voice_of("Bert"))
            await until(it, voice="Bert", loading="")
            assert it.status().reason == ""

    asyncio.run(change())


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

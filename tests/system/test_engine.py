"""Which voice is loaded, and which one speaks meanwhile; the loading itself, which takes the extra, is stood in for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rwc_pw import engine
from rwc_pw.config import Config
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire.node_manager import NodeState
from rwc_pw.streaming import ConversionConfig
from rwc_pw.streaming.backend import SilentBackend
from rwc_pw.streaming.conversion_times import ConversionTimes

DEADLINE_S = 10.0
CHUNK = 4800


class Loader:
    """Loads at once, or fails."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def __call__(self, _: ConversionConfig, _chunks: int) -> tuple[SilentBackend, ConversionTimes]:
        if self.error:
            raise self.error
        return SilentBackend(), ConversionTimes(CHUNK)


def conversion_of(config: Config, *_: object) -> ConversionConfig:
    return ConversionConfig(model_path=Path(config.voice) if config.is_rvc else None, backend="streaming")


@asynccontextmanager
async def running(home: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[engine.VoiceEngine, Loader]]:
    """An engine that loads voices, without PipeWire around it."""
    loader = Loader()
    patch.setattr(engine, "load", loader)
    patch.setattr(engine, "is_chunk_ours", lambda _: False)
    patch.setattr(engine, "_kind", lambda conversion: conversion.model_path)
    patch.setattr(engine, "conversion_of", conversion_of)
    it = engine.VoiceEngine(Config(), Paths.from_environment({"HOME": str(home)}), lambda: None)
    it._nodes.state = NodeState(fault="")
    it._pipeline.start()
    loading = asyncio.ensure_future(it._load_voices())
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield it, loader
    finally:
        loading.cancel()
        await asyncio.wait([loading])
        it._pipeline.stop()


async def until(it: engine.VoiceEngine, **expected: object) -> None:
    """Wait until the status is so."""
    changed = asyncio.Event()
    it._on_change = changed.set
    while any(getattr(it.status(), name) != value for name, value in expected.items()):
        await changed.wait()
        changed.clear()


def test_where_a_voice_cannot_be_loaded_the_reason_is_told_until_another_is_chosen(tmp_path, monkeypatch):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            loader.error = RwcPwError("There is no memory.", "Close something.")
            it.apply(Config(voice="Otto"))
            await until(it, loading="")
            assert "There is no memory" in it.status().reason
            loader.error = None
            it.apply(Config(voice="Bert"))
            await until(it, voice="Bert", loading="")
            assert it.status().reason == ""

    asyncio.run(change())


def test_a_voice_that_speaks_is_not_said_to_fail_where_another_size_of_chunk_for_it_does(tmp_path, monkeypatch):
    async def change() -> None:
        async with running(tmp_path, monkeypatch) as (it, loader):
            it.apply(Config(voice="Otto"))
            await until(it, voice="Otto", loading="")
            loader.error = RwcPwError("There is no memory.", "Close something.")
            it._loading = "Otto"  # as when the chunk is adapted
            it._wanted.set()
            await until(it, loading="")
            assert it._load_error
            assert it.status().reason == ""

    asyncio.run(change())

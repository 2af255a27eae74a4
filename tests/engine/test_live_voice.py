"""Which voice is loaded, and which one speaks meanwhile; the converters, which take the extra, are stood in for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rwc_pw.audio.crossfade import FADE_SAMPLES
from rwc_pw.audio.samples import Samples
from rwc_pw.config import Config
from rwc_pw.conversion.backend import IdentityBackend
from rwc_pw.engine.live_voice import LiveVoice
from rwc_pw.errors import RwcPwError
from rwc_pw.streaming import ConversionConfig
from tests.installed import InstalledPaths
from tests.patience import PATIENCE_S

CHUNK = 4800
KINDS = {"Otto": "a kind", "Bert": "a kind", "Carl": "another kind"}
NO_MEMORY = RwcPwError("There is no memory.", "Close something.")


class Voice(IdentityBackend):
    """A loaded voice, which can be adjusted; what it says is the negative of what was said."""

    def __init__(self, studio: "Studio", model_path: Path | None) -> None:
        self.pitch = 0.0
        self.given_back = threading.Event()
        self._studio = studio
        self.is_rvc = model_path is not None
        self._model_path = model_path

    @property
    def kind(self) -> object:
        return KINDS[self._model_path.name] if self._model_path else ""

    def initialize(self) -> None:
        if self.is_rvc:
            self._studio.calls += 1
            self._studio.begun.set()
            while not (self._studio.may_end.wait(0.01) or self.given_back.is_set()):
                pass
            if self._studio.error:
                raise self._studio.error

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        return -audio_chunk

    def adjust(self, config: ConversionConfig) -> bool:
        self.pitch = config.pitch_shift
        return config.model_path is not None and config.model_path == self._model_path

    def cleanup(self) -> None:
        self.given_back.set()


class Studio:
    """Two voices of one kind and one of another, and a session that hears what speaks: it has no PipeWire."""

    def __init__(self, home: Path) -> None:
        self.error: Exception | None = None
        self.calls = 0
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()
        self.made: list[Voice] = []
        self.pipelines = 0
        self.renewals = 0
        self.may_replace = True
        self.changed = asyncio.Event()
        paths = InstalledPaths.from_environment({"HOME": str(home)})
        self.voice = LiveVoice(Config(), paths, self._carry, self._renew, self.changed.set, self._make)

    def speak(self, samples: int) -> Samples:
        """What is heard while ones are said."""
        self.voice.pipeline.process_input(np.ones(samples, np.float32))
        return self.voice.pipeline.get_output(samples, PATIENCE_S)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self.changed.clear()
            await self.changed.wait()

    async def until_speaks(self, name: str) -> None:
        await self.until(lambda: self.voice.state.speaking == name and not self.voice.state.load)

    @property
    def loaded(self) -> list[Voice]:
        return [voice for voice in self.made if voice.is_rvc]

    def _make(self, conversion: ConversionConfig) -> Voice:
        self.made.append(Voice(self, conversion.model_path))
        return self.made[-1]

    def _carry(self, _: object) -> None:
        if not self.may_replace:
            raise RuntimeError("can't start new thread")
        self.pipelines += 1

    def _renew(self) -> None:
        self.renewals += 1


def voice_of(name: str) -> Config:
    return Config(voice=name, rvc_backend="batch")  # which a GPU need not be looked for


@asynccontextmanager
async def at_work(home: Path) -> AsyncIterator[tuple[Studio, LiveVoice]]:
    studio = Studio(home)
    studio.voice.start()
    running = asyncio.ensure_future(studio.voice.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield studio, studio.voice
    finally:
        studio.may_end.set()
        running.cancel()
        await asyncio.wait([running])
        studio.voice.stop()


def in_studio(home: Path, story) -> None:
    async def tell() -> None:
        async with at_work(home) as (studio, voice):
            await story(studio, voice)

    asyncio.run(tell())


def test_a_voice_that_cannot_be_loaded_is_told_until_another_is_chosen(tmp_path):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        studio.error = NO_MEMORY
        voice.choose(voice_of("Otto"))
        await studio.until(lambda: not voice.state.load)
        assert "There is no memory" in voice.state.fault.reason
        assert voice.state.fault.remedy == "Close something. It is tried again by itself, after at most 10 minutes."
        studio.error = None
        voice.choose(voice_of("Bert"))
        await studio.until_speaks("Bert")
        assert voice.state.fault is None

    in_studio(tmp_path, story)


def test_what_is_set_while_a_voice_is_loaded_holds_for_it(tmp_path):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        studio.may_end.clear()
        voice.choose(voice_of("Otto"))
        await asyncio.to_thread(studio.begun.wait)
        voice.choose(replace(voice.state.config, pitch=3.0))
        studio.may_end.set()
        await studio.until_speaks("Otto")
        assert [voice.pitch for voice in studio.loaded] == [3.0]

    in_studio(tmp_path, story)


def test_what_was_on_its_way_when_the_bypass_ends_is_not_heard(tmp_path):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        voice.set_bypass(True)
        bypassed = voice.pipeline
        for _ in range(8):
            studio.speak(voice.state.config.chunk_size // 2)
        voice.set_bypass(False)
        assert voice.pipeline is not bypassed
        delay_ms = bypassed.get_metrics().total_latency_ms
        assert delay_ms > 0
        assert voice.running.get_metrics().dropped_ms == pytest.approx(delay_ms, abs=0.05)

    in_studio(tmp_path, story)


@pytest.mark.parametrize(
    "config",
    [Config(), voice_of("Otto"), replace(voice_of("Otto"), chunk_size=CHUNK)],
    ids=["built in", "RVC", "RVC in chunks of the same size"],
)
def test_once_the_bypass_has_ended_not_a_sample_of_what_is_said_is_heard_unconverted(tmp_path, config):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        voice.choose(config)
        await studio.until_speaks(config.voice)
        half = voice.pipeline.chunk_size // 2  # of a chunk: the other half is said after the change
        assert studio.speak(3 * half).min() < 0
        voice.set_bypass(True)
        half = voice.pipeline.chunk_size // 2
        assert studio.speak(5 * half).max() > 0
        assert studio.renewals == 0
        voice.set_bypass(False)
        assert studio.renewals == 1  # so that the streams do not keep what they were given before
        heard = [studio.speak(5 * half)]
        await studio.until_speaks(config.voice)
        heard.append(studio.speak(3 * voice.pipeline.chunk_size))
        assert np.concatenate(heard).max() <= 0
        assert heard[-1].min() < 0

    in_studio(tmp_path, story)


def test_the_bypass_ends_also_where_no_other_pipeline_can_be_made(tmp_path):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        voice.set_bypass(True)
        bypassed = voice.pipeline
        studio.speak(4 * voice.state.config.chunk_size)
        studio.may_replace = False
        with pytest.raises(RuntimeError):
            voice.set_bypass(False)
        said = np.ones(4 * voice.state.config.chunk_size, np.float32)
        bypassed.process_input(said)
        assert not bypassed.get_output(len(said), PATIENCE_S)[FADE_SAMPLES:].any()

    in_studio(tmp_path, story)


def test_while_the_real_voice_is_let_out_a_voice_that_cannot_be_loaded_is_no_fault(tmp_path):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        studio.error = NO_MEMORY
        studio.may_end.clear()
        voice.choose(voice_of("Otto"))
        await asyncio.to_thread(studio.begun.wait)
        voice.set_bypass(True)
        await asyncio.to_thread(studio.loaded[0].given_back.wait)
        studio.may_end.set()
        assert (voice.state.fault, voice.state.load, studio.calls) == (None, None, 1)
        voice.set_bypass(False)
        await studio.until(lambda: not voice.state.load)
        assert "There is no memory" in voice.state.fault.reason
        assert voice.state.speaking == ""

    in_studio(tmp_path, story)


@pytest.mark.parametrize("config", [voice_of("Bert"), voice_of("Carl"), Config(), Config(chunk_size=CHUNK)])
def test_a_voice_that_is_replaced_while_nobody_listens_is_given_back_then(tmp_path, config):
    async def story(studio: Studio, voice: LiveVoice) -> None:
        voice.choose(voice_of("Otto"))
        await studio.until_speaks("Otto")
        [otto] = studio.loaded
        pipelines = studio.pipelines
        voice.choose(config)
        await studio.until_speaks(config.voice)
        assert (studio.pipelines == pipelines) == (config.voice == "Bert")  # of Otto's kind
        assert await asyncio.to_thread(otto.given_back.wait, PATIENCE_S)
        assert not any(it.given_back.is_set() for it in studio.made[2:])

    in_studio(tmp_path, story)

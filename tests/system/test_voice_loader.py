"""Which voice is loaded when wishes change meanwhile; the converters, which take the extra, are stood in for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rwc_pw.config import Config
from rwc_pw.conversion.backend import IdentityBackend
from rwc_pw.engine import loader as loading
from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.engine.loader import LoadedVoice, VoiceLoader
from rwc_pw.errors import RwcPwError
from rwc_pw.streaming import ConversionConfig
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.paths import Paths
from rwc_pw.voices.rvc_voice import RvcVoice
from tests.patience import PATIENCE_S

NO_MEMORY = RwcPwError("There is no memory.", "Close something.")


class Converter(IdentityBackend):
    """Initialises once it may."""

    def __init__(self, conversion: ConversionConfig, studio: "Studio") -> None:
        self.voice = conversion.model_path.name if conversion.model_path else ""
        self.is_ended = threading.Event()
        self._studio = studio

    def initialize(self) -> None:
        self._studio.begun.release()
        while not (self._studio.may_end.is_set() or (self.is_ended.is_set() and not self._studio.is_stubborn)):
            self._studio.may_end.wait(0.01)
        if self._studio.error:
            raise self._studio.error

    def cleanup(self) -> None:
        self.is_ended.set()


class Studio:
    """A loader, and what it has loaded."""

    def __init__(self, home: Path) -> None:
        self.error: Exception | None = None
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()
        self.made: list[Converter] = []
        self.heard: list[Converter] = []
        self.is_stubborn = False  # converters do not end before they may
        self.accepts = lambda: True
        self.changed = asyncio.Event()
        paths = Paths.from_environment({"HOME": str(home)})
        for name in ("Otto", "Bert"):
            (folder := paths.voices_dir / name).mkdir(parents=True)
            RvcVoice(name, "v2", 40_000, True, 1, False, "").write(folder)
        chunks = ChosenChunks(paths.chunks_file)
        self.loader = VoiceLoader(paths, chunks, lambda _: True, self.hand_over, self.changed.set)

    def make(self, conversion: ConversionConfig) -> Converter:
        self.made.append(Converter(conversion, self))
        return self.made[-1]

    async def hand_over(self, voice: LoadedVoice) -> bool:
        is_taken = self.accepts()
        if is_taken:
            assert isinstance(voice.backend, Converter)
            self.heard.append(voice.backend)
        return is_taken

    def want(self, voice: str, pitch: float = 0.0) -> None:
        self.loader.want(Config(voice=voice, pitch=pitch, rvc_backend="batch"))

    async def until_begun(self) -> None:
        await asyncio.to_thread(self.begun.acquire)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self.changed.clear()
            await self.changed.wait()


def names(converters: list[Converter]) -> list[str]:
    return [converter.voice for converter in converters]


@asynccontextmanager
async def at_work(home: Path) -> AsyncIterator[Studio]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Paths, "voices_dir", home / "models")
        studio = Studio(home)
        patch.setattr(loading, "create_backend", studio.make)
        running = asyncio.ensure_future(studio.loader.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield studio
        finally:
            studio.may_end.set()
            running.cancel()
            await asyncio.wait([running])


def in_studio(home: Path, story: Callable[[Studio], Coroutine[None, None, None]]) -> None:
    async def tell() -> None:
        async with at_work(home) as studio:
            await story(studio)

    asyncio.run(tell())


def test_a_load_that_another_voice_overtakes_is_given_up_at_once(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.want("Otto")
        await studio.until_begun()
        studio.want("Bert")
        await studio.until_begun()  # while Otto could not have ended
        assert studio.made[0].is_ended.is_set()
        studio.may_end.set()
        await studio.until(lambda: not studio.loader.loading)
        assert names(studio.heard) == ["Bert"]
        assert not studio.made[1].is_ended.is_set()

    in_studio(tmp_path, story)


def test_a_load_that_cannot_be_interrupted_is_waited_for_and_what_is_wanted_last_follows_it(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.is_stubborn = True
        studio.want("Otto")
        await studio.until_begun()
        studio.want("Bert")
        await asyncio.to_thread(studio.made[0].is_ended.wait)
        studio.want("Otto")
        studio.want("Bert")
        assert not await asyncio.to_thread(studio.begun.acquire, timeout=0.2)
        studio.may_end.set()
        await studio.until(lambda: bool(studio.heard))
        assert names(studio.made) == ["Otto", "Bert"]

    in_studio(tmp_path, story)


def test_what_is_set_meanwhile_does_not_load_a_voice_again(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.want("Otto")
        await studio.until_begun()
        studio.want("Otto", pitch=3.0)
        studio.may_end.set()
        await studio.until(lambda: not studio.loader.loading)
        assert (names(studio.made), names(studio.heard)) == (["Otto"], ["Otto"])

    in_studio(tmp_path, story)


def test_whoever_changes_their_mind_twice_hears_what_they_wanted_last(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.want("Otto")
        await studio.until_begun()
        studio.want("Bert")
        studio.want("Otto")
        assert studio.loader.loading == "Otto"
        await studio.until_begun()
        studio.may_end.set()
        await studio.until(lambda: not studio.loader.loading)
        assert names(studio.heard) == ["Otto"]

    in_studio(tmp_path, story)


def test_a_load_that_is_given_up_ends(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.want("Otto")
        await studio.until_begun()
        studio.loader.give_up()
        assert studio.loader.loading == ""
        await asyncio.to_thread(studio.made[0].is_ended.wait)
        studio.may_end.set()
        studio.want("Bert")
        await studio.until(lambda: not studio.loader.loading)
        assert names(studio.heard) == ["Bert"]

    in_studio(tmp_path, story)


def test_a_voice_that_is_not_wanted_any_more_when_it_is_loaded_is_loaded_anew(tmp_path):
    async def story(studio: Studio) -> None:
        answers = iter((False, True))
        studio.accepts = lambda: next(answers)
        studio.want("Otto")
        await studio.until(lambda: not studio.loader.loading)
        assert [converter.is_ended.is_set() for converter in studio.made] == [True, False]
        assert studio.heard == studio.made[1:]

    in_studio(tmp_path, story)


def test_where_a_voice_cannot_be_loaded_the_reason_is_told_until_another_is_wanted(tmp_path):
    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        await studio.until(lambda: studio.loader.fault is not None)
        assert studio.loader.loading == ""
        assert "There is no memory" in studio.loader.fault.reason
        assert studio.made[0].is_ended.is_set()
        studio.error = None
        studio.want("Bert")
        assert studio.loader.fault is None
        await studio.until(lambda: not studio.loader.loading)
        assert names(studio.heard) == ["Bert"]

    in_studio(tmp_path, story)


def test_a_voice_that_could_not_be_loaded_is_tried_again_unless_it_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(loading, "LONGEST_RETRY_S", 0.02)

    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        for _ in range(3):
            await studio.until(lambda: studio.loader.fault is not None and not studio.loader.loading)
            await studio.until(lambda: studio.loader.loading == "Otto")
        studio.error = None
        await studio.until(lambda: bool(studio.heard))
        assert (studio.loader.loading, studio.loader.fault) == ("", None)
        studio.error = NO_MEMORY
        studio.want("Bert")
        await studio.until(lambda: studio.loader.fault is not None)
        studio.loader.give_up()
        assert (studio.loader.loading, studio.loader.fault) == ("", None)

    in_studio(tmp_path, story)


def test_it_is_tried_again_after_5_s_10_s_and_so_on_up_to_10_minutes_and_another_voice_after_5_s(tmp_path, monkeypatch):
    pauses_s: list[float] = []

    class Shortened(Backoff):
        def next_s(self) -> float:
            pauses_s.append(super().next_s())
            return 0.0

    monkeypatch.setattr(loading, "Backoff", Shortened)

    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        await studio.until(lambda: len(pauses_s) > 8)
        assert pauses_s[:9] == [5, 10, 20, 40, 80, 160, 320, 600, 600]
        pauses_s.clear()
        studio.want("Bert")
        await studio.until(lambda: 5 in pauses_s)

    in_studio(tmp_path, story)

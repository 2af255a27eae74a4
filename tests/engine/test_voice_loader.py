"""Which voice is loaded when wishes change meanwhile; the converters, which take the extra, are stood in for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

from rwc_pw.config import Config
from rwc_pw.conversion.backend import IdentityBackend
from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.engine.loader import FIRST_RETRY_S, LONGEST_RETRY_S, VoiceLoader
from rwc_pw.engine.voice_state import LoadedVoice
from rwc_pw.errors import Fault, RwcPwError
from rwc_pw.streaming import ConversionConfig
from rwc_pw.system.backoff import Backoff
from tests.installed import InstalledPaths
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


class Pauses(Backoff):
    """Notes the pauses, and does not wait for them."""

    def __init__(self) -> None:
        super().__init__(FIRST_RETRY_S, LONGEST_RETRY_S)
        self.pauses_s: list[float] = []

    def next_s(self) -> float:
        self.pauses_s.append(super().next_s())
        return 0.0


class Studio:
    """A loader, and the customer it loads for."""

    def __init__(self, home: Path) -> None:
        self.error: Exception | None = None
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()
        self.made: list[Converter] = []
        self.heard: list[Converter] = []
        self.faults: list[Fault] = []
        self.attempts = 0
        self.is_stubborn = False  # converters do not end before they may
        self.accepts = lambda: True
        self.changed = asyncio.Event()
        self.backoff = Pauses()
        paths = InstalledPaths.from_environment({"HOME": str(home)})
        self.loader = VoiceLoader(paths, ChosenChunks(paths.chunks_file), self, self.make, self.backoff)

    def make(self, conversion: ConversionConfig) -> Converter:
        self.made.append(Converter(conversion, self))
        return self.made[-1]

    def speaks_like(self, kind: object) -> bool:
        return True

    async def take(self, voice: LoadedVoice) -> bool:
        is_taken = self.accepts()
        if is_taken:
            assert isinstance(voice.backend, Converter)
            self.heard.append(voice.backend)
        self.changed.set()
        return is_taken

    def load_failed(self, fault: Fault) -> None:
        self.faults.append(fault)
        self.changed.set()

    def tried_again(self) -> None:
        self.attempts += 1
        self.changed.set()

    def gpu_failed(self) -> None:
        """There is no GPU."""

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
    studio = Studio(home)
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
        await studio.until(lambda: bool(studio.heard))
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
        await studio.until(lambda: bool(studio.heard))
        assert (names(studio.made), names(studio.heard)) == (["Otto"], ["Otto"])

    in_studio(tmp_path, story)


def test_whoever_changes_their_mind_twice_hears_what_they_wanted_last(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.want("Otto")
        await studio.until_begun()
        studio.want("Bert")
        studio.want("Otto")
        await studio.until_begun()
        studio.may_end.set()
        await studio.until(lambda: bool(studio.heard))
        assert names(studio.heard) == ["Otto"]

    in_studio(tmp_path, story)


def test_a_load_that_is_given_up_ends(tmp_path):
    async def story(studio: Studio) -> None:
        studio.may_end.clear()
        studio.want("Otto")
        await studio.until_begun()
        studio.loader.give_up()
        await asyncio.to_thread(studio.made[0].is_ended.wait)
        studio.may_end.set()
        studio.want("Bert")
        await studio.until(lambda: bool(studio.heard))
        assert names(studio.heard) == ["Bert"]

    in_studio(tmp_path, story)


def test_a_voice_that_is_not_wanted_any_more_when_it_is_loaded_is_loaded_anew(tmp_path):
    async def story(studio: Studio) -> None:
        answers = iter((False, True))
        studio.accepts = lambda: next(answers)
        studio.want("Otto")
        await studio.until(lambda: bool(studio.heard))
        assert [converter.is_ended.is_set() for converter in studio.made] == [True, False]
        assert studio.heard == studio.made[1:]

    in_studio(tmp_path, story)


def test_where_a_voice_cannot_be_loaded_the_reason_is_told_and_another_can(tmp_path):
    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        await studio.until(lambda: bool(studio.faults))
        assert "There is no memory" in studio.faults[0].reason
        assert studio.made[0].is_ended.is_set()
        studio.error = None
        studio.want("Bert")
        await studio.until(lambda: bool(studio.heard))
        assert names(studio.heard) == ["Bert"]

    in_studio(tmp_path, story)


def test_a_voice_that_could_not_be_loaded_is_tried_again_until_it_can_be(tmp_path):
    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        await studio.until(lambda: studio.attempts == 3)
        studio.error = None
        await studio.until(lambda: bool(studio.heard))
        assert names(studio.heard) == ["Otto"]

    in_studio(tmp_path, story)


def test_a_voice_that_is_given_up_is_not_tried_again(tmp_path):
    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        await studio.until(lambda: studio.attempts == 2)
        studio.loader.give_up()
        made = len(studio.made)
        studio.want("Bert")
        await studio.until(lambda: names(studio.made[made:]).count("Bert") == 2)
        assert "Otto" not in names(studio.made[made:])

    in_studio(tmp_path, story)


def test_it_is_tried_again_after_5_s_10_s_and_so_on_up_to_10_minutes_and_another_voice_after_5_s(tmp_path):
    async def story(studio: Studio) -> None:
        studio.error = NO_MEMORY
        studio.want("Otto")
        pauses_s = studio.backoff.pauses_s
        await studio.until(lambda: len(pauses_s) > 8)
        assert pauses_s[:9] == [5, 10, 20, 40, 80, 160, 320, 600, 600]
        pauses_s.clear()
        studio.want("Bert")
        await studio.until(lambda: 5 in pauses_s)

    in_studio(tmp_path, story)

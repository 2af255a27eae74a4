"""The engine's loader, with the converters."""

import asyncio
from pathlib import Path

import pytest

from rwc_pw.config import Config
from rwc_pw.conversion.create import create_backend
from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.engine.loader import FIRST_RETRY_S, LONGEST_RETRY_S, VoiceLoader
from rwc_pw.engine.trial import clean_up
from rwc_pw.engine.voice_state import LoadedVoice
from rwc_pw.errors import Fault
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.paths import Paths
from rwc_pw.voices import rvc_voice
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.needs_rvc


class Customer:
    """Takes one voice, or is told why there is none."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[LoadedVoice] = asyncio.get_running_loop().create_future()

    def speaks_like(self, _: object) -> bool:
        return False

    async def take(self, voice: LoadedVoice) -> bool:
        self.answer.set_result(voice)
        return True

    def load_failed(self, fault: Fault) -> None:
        self.answer.set_exception(RuntimeError(fault.reason))

    def tried_again(self) -> None: ...

    def gpu_failed(self) -> None: ...


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("backend", ["streaming", "batch"])
def test_what_a_voice_says_of_itself_is_read_once_in_a_load(assets_dir, stored, tmp_path, monkeypatch, backend):
    monkeypatch.setattr(Paths, "voices_dir", stored.parent)
    read, read_text = [], rvc_voice.read_text

    def note_and_read(path: Path) -> str:
        read.append(path)
        return read_text(path)

    monkeypatch.setattr(rvc_voice, "read_text", note_and_read)
    config = Config(
        voice=stored.name, rvc_backend=backend, rvc_chunk_size=4800, f0_method="fcpe", rvc_models=str(assets_dir)
    )

    async def load() -> None:
        customer, chosen = Customer(), ChosenChunks(tmp_path / "chunks.json")
        paths = Paths.from_environment({"HOME": str(tmp_path)})
        loader = VoiceLoader(paths, chosen, customer, create_backend, Backoff(FIRST_RETRY_S, LONGEST_RETRY_S))
        loader.want(config)
        running = asyncio.ensure_future(loader.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await clean_up((await customer.answer).backend)
        finally:
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(load())
    assert read == [stored / "voice.toml"]

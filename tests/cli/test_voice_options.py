"""What the commands make of a voice that is named or is a file, and of its chunk size."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rwc_pw.cli import microphone, shared, sound, terminal
from rwc_pw.cli.shared import config
from rwc_pw.config import Config
from rwc_pw.errors import NoBusError, UsageError
from rwc_pw.system.paths import Paths
from rwc_pw.voices.adding import stored_folder as resolve
from rwc_pw.voices.adding.source import file_sha256
from rwc_pw.voices.rvc_voice import RvcVoice
from rwc_pw.voices.store import VoiceStore


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> VoiceStore:
    """The store of an empty home; Otto is in it."""
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setattr(Paths, "voices_dir", tmp_path / "models")
    for module in (shared, microphone):
        monkeypatch.setattr(module, "with_daemon", no_bus)
    store = VoiceStore(tmp_path / "models")
    put(store, "Otto", "")
    return store


def no_bus(_: object) -> None:
    raise NoBusError("There is no D-Bus session bus.")


def put(store: VoiceStore, name: str, sha256: str) -> RvcVoice:
    voice = RvcVoice(name, "v2", 40_000, True, 1, False, sha256)
    store.folder_of(voice).mkdir(parents=True)
    voice.write(store.folder_of(voice))
    return voice


@pytest.fixture
def spoken(monkeypatch) -> list[Config]:
    """What ``real-time`` is to run with."""
    configs: list[Config] = []

    async def run(config: Config, _: Paths) -> None:
        configs.append(config)

    monkeypatch.setattr(terminal, "run", run)
    return configs


@pytest.mark.parametrize(
    ("voice", "chunks"), [("robot", (2048, 0)), ("Otto", (256, 2048))], ids=["built in", "RVC"]
)  # the size of a built-in voice's chunk and of an RVC voice's
def test_a_chunk_size_is_that_of_the_voice_in_use(voice, chunks):
    sound.use(voice)
    sound.set_(chunk_size=2048)
    assert (config().chunk_size, config().rvc_chunk_size) == chunks
    sound.set_(chunk_size=0)
    assert config() == Config(voice=voice)


@pytest.mark.parametrize(
    ("voice", "sizes", "wrong"), [("robot", (64, 256, 16384), 63), ("Otto", (960, 16384), 959)], ids=["built in", "RVC"]
)
def test_real_time_takes_the_chunk_sizes_that_its_voice_can(spoken, voice, sizes, wrong):
    for size in sizes:
        sound.real_time(chunk_size=size, model=voice)
    assert [getattr(config, config.chunk_size_key) for config in spoken] == list(sizes)
    with pytest.raises(UsageError, match=f"{wrong} is not between"):
        sound.real_time(chunk_size=wrong, model=voice)
    sound.real_time(model=voice)
    assert spoken[-1] == Config(voice=voice)


def enable(model: str) -> str:
    with pytest.raises(NoBusError):
        microphone.enable(model)
    return config().voice


def use(model: str) -> str:
    sound.use(model)
    return config().voice


@pytest.fixture(params=["enable", "use", "real-time"])
def voice_of(request, spoken) -> Callable[[str], str]:
    """The voice in which a command speaks when it is told ``model``."""

    def real_time(model: str) -> str:
        sound.real_time(model=model)
        return spoken[-1].voice

    return {"enable": enable, "use": use, "real-time": real_time}[request.param]


def test_a_voice_may_be_its_pth_which_is_added_once(voice_of, store, tmp_path, monkeypatch):
    def add(path: Path, store: VoiceStore) -> RvcVoice:
        return put(store, path.stem, file_sha256(path))

    monkeypatch.setattr(resolve, "add_voice", add)
    (tmp_path / "Bert.pth").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    assert voice_of("Bert.pth") == "Bert"
    assert voice_of(str(tmp_path / "Bert.pth")) == "Bert"
    assert voice_of("robot") == "robot"
    assert voice_of("Otto") == "Otto"
    assert sorted(store.names()) == ["Bert", "Otto"]
    with pytest.raises(UsageError, match=r"no RVC voice 'nobody\.pth'"):
        voice_of("nobody.pth")

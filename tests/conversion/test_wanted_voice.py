"""When a voice's file is imported, which starts a process: once it is needed, and not before."""

from contextlib import suppress
from pathlib import Path

import pytest

from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.streaming import BatchConverter, ConversionConfig, StreamingConverter, create_backend
from rwc_pw.system.paths import Paths
from rwc_pw.voice_converter import VoiceConverter
from rwc_pw.voices.adding import stored_folder as resolve
from rwc_pw.voices.adding.source import file_sha256
from rwc_pw.voices.rvc_voice import MODEL_FILE, RvcVoice
from rwc_pw.voices.store import VoiceStore
from tests.installed import InstalledPaths


@pytest.fixture
def paths(tmp_path) -> InstalledPaths:
    return InstalledPaths.from_environment({"HOME": str(tmp_path)})


@pytest.fixture
def store(paths, monkeypatch) -> VoiceStore:
    """The store of an empty home, into which files come without being looked at."""

    def add(path: Path, store: VoiceStore) -> RvcVoice:
        voice = RvcVoice(path.stem, "v2", 40_000, True, 1, False, file_sha256(path))
        folder = store.folder_of(voice)
        folder.mkdir(parents=True)
        voice.write(folder)
        (folder / MODEL_FILE).touch()
        return voice

    monkeypatch.setattr(resolve, "add_voice", add)
    monkeypatch.setattr(Paths, "voices_dir", paths.voices_dir)
    return VoiceStore(paths.voices_dir)


@pytest.fixture
def config(paths, tmp_path) -> ConversionConfig:
    (tmp_path / "Bert.pth").write_bytes(b"weights")
    return ConversionConfig(
        model_path=tmp_path / "Bert.pth", assets_dir=tmp_path, backend="streaming", chunk_size=4800, paths=paths
    )


@pytest.mark.parametrize("kind", [StreamingConverter, BatchConverter])
def test_whoever_makes_a_live_converter_imports_nothing_yet(store, config, kind):
    converter = kind(config)
    assert store.names() == []
    with suppress(RwcPwError):  # what every voice needs is missing
        converter.initialize()
    assert store.names() == ["Bert"]
    assert converter.adjust(config)


def test_whoever_makes_a_converter_of_files_imports_nothing_yet(store, config, tmp_path):
    converter = VoiceConverter(config.model_path, tmp_path)
    assert store.names() == []
    for _ in range(2):
        with pytest.raises(UsageError, match=r"said\.wav"):
            converter.convert_voice(tmp_path / "said.wav", tmp_path / "heard.wav")
    assert store.names() == ["Bert"]


def test_a_file_is_imported_for_its_chain_of_effects_which_must_know_the_delay(store, config):
    chain = create_backend(config)
    assert store.names() == ["Bert"]
    delays = chain.latency_samples, chain.converter.latency_samples
    config.model_path.unlink()
    assert (chain.latency_samples, chain.converter.latency_samples) == delays


@pytest.mark.parametrize("kind", [StreamingConverter, BatchConverter])
def test_a_voice_that_is_not_there_is_told_when_it_is_needed(store, config, kind):  # noqa: ARG001
    config.model_path.unlink()
    converter = kind(config)
    assert not converter.adjust(config)
    with pytest.raises(UsageError, match=r"no voice at .*Bert\.pth"):
        converter.initialize()

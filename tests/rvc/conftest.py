"""Voices that can be checked, and what every voice needs, made once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rwc_pw.files.paths import Paths
from rwc_pw.voices.importing import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.rvc.checkable import make_assets, make_voice


@pytest.fixture(scope="session")
def assets_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ContentVec's stand-in and FCPE, in ultimate-rvc's layout."""
    folder = tmp_path_factory.mktemp("assets")
    make_assets(folder)
    return folder


@pytest.fixture(scope="session")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice as people share it."""
    path = tmp_path_factory.mktemp("shared") / "Checkable.pth"
    make_voice(path)
    return path


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory, voice_file: Path) -> Path:
    """The folder of that voice in a store, as it comes in; nobody changes it."""
    store = VoiceStore(tmp_path_factory.mktemp("store"))
    return store.folder_of(add_voice(voice_file, store))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is compiled, for all tests: ContentVec, the pitch detector and the stored voice are the same for each."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def kept(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where compiled voices are kept by what runs in this process."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "compiled").symlink_to(compiled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Paths, "state_dir", folder)
        yield folder / "compiled"


def tone(seconds: float, rate_hz: int = 48_000) -> np.ndarray:
    """A tone of 170 Hz that FCPE takes for a voice."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = sum(np.sin(2 * np.pi * 170 * number * times_s) / number for number in range(1, 20))
    return (0.2 * sound).astype(np.float32)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from torch's other threads, which take minutes beside a busy neighbour."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def _no_logs() -> Iterator[None]:
    """ultimate-rvc writes logs into the working folder unless it is told not to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("URVC_NO_LOGGING", "1")
        yield

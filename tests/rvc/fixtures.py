"""Voices that can be checked, and what every voice needs, made once."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rwc_pw import doctor
from rwc_pw.rvc import proof, ultimate
from rwc_pw.system.paths import Paths
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.rvc.checkable import make_assets, make_voice

QUIET = {"URVC_NO_LOGGING": "1", "OMP_NUM_THREADS": "1"}
"""ultimate-rvc writes logs into the working folder, and takes minutes with two threads beside a busy neighbour."""

os.environ.update(QUIET)  # before a test's import loads torch or faiss, which read it once

Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Once:
    """Makes a folder once for all of pytest's workers, and gives its path."""
    root = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        root = root.parent

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder = root / name
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                make(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def assets_dir(once: Once) -> Path:
    """ContentVec's stand-in and FCPE, in ultimate-rvc's layout."""
    return once("assets", make_assets)


@pytest.fixture(scope="session")
def voice_file(once: Once) -> Path:
    """A voice as people share it."""
    return once("shared", lambda folder: make_voice(folder / "Checkable.pth")) / "Checkable.pth"


@pytest.fixture(scope="session")
def stored(once: Once, voice_file: Path) -> Path:
    """The folder of that voice in a store, as it comes in; nobody changes it."""
    return once("store", lambda folder: add_voice(voice_file, VoiceStore(folder))) / "Checkable"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where networks that were built are kept by what runs in this process."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Paths, "state_dir", folder)
        yield folder / "compiled"


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from torch's other threads, which take minutes beside a busy neighbour."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _whole(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is whole, and is not imported after each failure: test_broken_extra.py has one that is not."""
    if not request.node.get_closest_marker("needs_rvc"):
        return
    for module in (doctor, proof, ultimate):
        monkeypatch.setattr(module, "check_extra", lambda: None)


@pytest.fixture(scope="session", autouse=True)
def _quiet(_nobodys_session: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        yield

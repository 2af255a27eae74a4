"""What every RVC voice needs comes from the hub, a mirror, a folder or a package, and only what is missing."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rwc_pw.errors import RwcPwError, UnavailableError, UsageError
from rwc_pw.rvc import assets
from rwc_pw.system import extra
from rwc_pw.system.download import locked
from tests.file_server import CONTENT, serving

SHAPE = next(asset for asset in assets.ASSETS if asset.path.endswith("config.json"))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FCPE's package, which need not be installed, and hashes of what is served here."""
    package = tmp_path / "torchfcpe"
    (package / "assets").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "assets/fcpe_c_v001.pt").write_text("fcpe")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchfcpe", raising=False)  # the real one, that another test has imported
    pinned = [replace(asset, sha256=SHA256 if asset.sha256 else None) for asset in assets.ASSETS]
    monkeypatch.setattr(assets, "ASSETS", pinned)


@pytest.fixture
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with the files side by side, in the layout, or as the hub has them."""
    folder = tmp_path / "source"
    for asset in assets.ASSETS:
        if asset.resource:
            path = folder / {"flat": Path(asset.path).name, "layout": asset.path, "hub": asset.resource}[request.param]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(CONTENT)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LAYOUT = {
    "rvc/embedders/contentvec/pytorch_model.bin": CONTENT,
    "rvc/embedders/contentvec/config.json": CONTENT,
    "rvc/predictors/rmvpe.pt": CONTENT,
    "rvc/predictors/fcpe.pt": b"fcpe",
}


@pytest.mark.parametrize("source", ["flat", "layout", "hub"], indirect=True)
def test_a_folder_stands_for_the_network(source: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert len(assets.missing(models)) == len(LAYOUT)
    assets.fetch(models, source, lambda *_: None)
    assert files(models) == LAYOUT
    assert assets.missing(models) == []


@pytest.mark.parametrize("source", ["flat"], indirect=True)
def test_a_folder_that_lacks_one_is_told(source: Path, tmp_path: Path) -> None:
    (source / "rmvpe.pt").unlink()
    with pytest.raises(UsageError, match=r"no rmvpe\.pt") as error:
        assets.fetch(tmp_path / "models", source, lambda *_: None)
    assert "predictors/rmvpe.pt" in error.value.remedy


@pytest.mark.parametrize("source", ["flat"], indirect=True)
def test_a_file_that_was_not_copied_whole_into_that_folder_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "rmvpe.pt").write_bytes(CONTENT[:-1])
    models = tmp_path / "models"
    with pytest.raises(RwcPwError, match="not the file"):
        assets.fetch(models, source, lambda *_: None)
    assert [asset.name for asset in assets.missing(models)] == ["RMVPE"]
    assert list((models / "rvc/predictors").iterdir()) == [models / "rvc/predictors/fcpe.pt"]


@pytest.mark.parametrize("source", ["flat"], indirect=True)
def test_a_folder_that_cannot_be_written_is_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(RwcPwError, match="Cannot write"):
        assets.fetch(tmp_path / "models", source, lambda *_: None)


@pytest.mark.parametrize("source", ["flat"], indirect=True)
def test_of_two_that_copy_one_file_the_second_is_told(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "models/rvc/predictors/rmvpe.pt.copy"
    copy.parent.mkdir(parents=True)
    with locked(copy), pytest.raises(RwcPwError, match=r"Another rwc-pw is fetching rmvpe\.pt"):
        assets.fetch(tmp_path / "models", source, lambda *_: None)
    assets.fetch(tmp_path / "models", source, lambda *_: None)
    assert files(tmp_path / "models") == LAYOUT


@pytest.mark.parametrize("source", ["flat"], indirect=True)
def test_what_a_copy_that_was_cut_left_is_overwritten(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "models/rvc/predictors/rmvpe.pt.copy"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT * 2)
    assets.fetch(tmp_path / "models", source, lambda *_: None)
    assert files(tmp_path / "models") == LAYOUT


@pytest.mark.parametrize("end", ["", "/"])
def test_a_mirror_stands_for_the_hub_and_is_asked_once_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    told: list[tuple[str, int, int | None]] = []
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url.rpartition("/")[0] + "/mirror" + end)
        assets.fetch(tmp_path / "models", None, lambda *progress: told.append(progress))
        (tmp_path / "models" / SHAPE.path).unlink()
        assets.fetch(tmp_path / "models", None, lambda *progress: told.append(progress))
    assert files(tmp_path / "models") == LAYOUT
    below = "/mirror/JackismyShephard/ultimate-rvc/resolve/main/Resources"
    shape = f"{below}/embedders/contentvec/config.json"
    model, pitch = f"{below}/embedders/contentvec/pytorch_model.bin", f"{below}/predictors/rmvpe.pt"
    assert [path for path, _ in server.asked] == [model, shape, pitch, shape]
    assert told[-1] == (SHAPE.name, len(CONTENT), len(CONTENT))


def test_without_the_extra_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url.rpartition("/")[0])
        with pytest.raises(UnavailableError) as error:
            assets.fetch(tmp_path / "models", None, lambda *_: None)
    assert "./install.sh --rvc" in error.value.remedy
    assert server.asked == []

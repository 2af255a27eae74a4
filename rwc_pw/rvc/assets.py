"""The files that every RVC voice needs, and where they lie in ultimate-rvc's own layout."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rwc_pw.errors import RwcPwError, UnavailableError, UsageError
from rwc_pw.rvc.asset import Asset
from rwc_pw.rvc.detectors import DETECTORS
from rwc_pw.system.download import download, file_sha256, locked
from rwc_pw.system.extra import package_folder
from rwc_pw.system.writing import refusal

HUB = "https://huggingface.co"
RESOURCES = "JackismyShephard/ultimate-rvc/resolve/main/Resources"
MOST_BYTES = 1 << 30


# ContentVec's hash identifies the hub's lengyue233/content-vec-best, and the hub lists it for RESOURCES, too (revision
# ae5f32aa, 2026-09). config.json has none: it is not Applio's.
CONTENTVEC = (
    Asset(
        "ContentVec",
        "rvc/embedders/contentvec/pytorch_model.bin",
        "embedders/contentvec/pytorch_model.bin",
        "d8dd400e054ddf4e6be75dab5a2549db748cc99e756a097c496c099f65a4854e",
    ),
    Asset("ContentVec's shape", "rvc/embedders/contentvec/config.json", "embedders/contentvec/config.json", None),
)
ASSETS = sorted(  # those of packages first: without the package, nothing large is fetched
    (*CONTENTVEC, *(detector.asset for detector in DETECTORS if detector.asset)), key=lambda asset: bool(asset.resource)
)


def missing(assets_dir: Path) -> list[Asset]:
    """The assets that are missing."""
    return [asset for asset in ASSETS if not (assets_dir / asset.path).is_file()]


def require(assets_dir: Path, detector: Asset | None) -> None:
    """``UnavailableError`` unless ContentVec and the pitch detector's weights, if it has a file, are there."""
    needed = [asset.path for asset in (*CONTENTVEC, detector) if asset]
    if absent := [asset.name for asset in missing(assets_dir) if asset.path in needed]:
        raise UnavailableError(f"RVC model files are missing: {', '.join(absent)}.", "Run `rwc-pw setup`.")


def contentvec_folder(assets_dir: Path) -> Path:
    """The folder of ContentVec in a models folder."""
    return assets_dir / "rvc/embedders/contentvec"


def fetch(assets_dir: Path, source: Path | None, on_progress: Callable[[str, int, int | None], None]) -> None:
    """Get what is missing, from the folder ``source`` or from the hub, which ``HF_ENDPOINT`` may replace.

    ``on_progress`` receives the name, the bytes done and the total. ``UsageError`` for a folder that lacks an asset,
    ``RwcPwError`` for a file that is not the right one, and whatever ``download`` raises.
    """
    for asset in missing(assets_dir):
        target = assets_dir / asset.path
        if not asset.resource:
            _copy(_packaged_fcpe(), target, None)
        elif source:
            _copy(_found_in(source, asset), target, asset.sha256)
        else:
            hub = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
            url = f"{hub}/{RESOURCES}/{asset.resource}"
            download(
                url,
                target,
                sha256=asset.sha256,
                most_bytes=MOST_BYTES,
                on_progress=lambda done, whole, name=asset.name: on_progress(name, done, whole),  # type: ignore[misc]
            )


def _found_in(source: Path, asset: Asset) -> Path:
    """The asset's file in ``source``, in either layout or flat."""
    for path in (source / asset.path, source / asset.resource, source / Path(asset.path).name):
        if path.is_file():
            return path
    raise UsageError(f"There is no {Path(asset.path).name} in {source}.", f"It is {asset.resource} of the hub.")


def _packaged_fcpe() -> Path:
    return package_folder("torchfcpe") / "assets" / "fcpe_c_v001.pt"


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise refusal("read", source, error) from error


def _copy(source: Path, target: Path, sha256: str | None) -> None:
    part = target.with_name(f"{target.name}.copy")  # .part belongs to a download that may be resumed
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _opened(source) as file, locked(part) as copy:
            try:
                copy.truncate()
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
                if sha256 is not None and file_sha256(part) != sha256:
                    raise RwcPwError(f"{source} is not the file that it should be.", "Copy it again from its source.")
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise refusal("write", target, error) from error

"""The forms in which people share voices: a ``.pth``, a folder or a ``.zip``. Copies the voice's files out of it."""

import hashlib
import lzma
import stat
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.files.reading import open_file
from rwc_pw.voices.archive import TooManyEntriesError, opened_archive

LARGEST_FILE_BYTES = 2 << 30
MOST_RATIO = 100  # weights hardly compress
BLOCK_BYTES = 1 << 20
TRAINING = ("G_", "D_")  # checkpoints for further training, not usable as voices
File = TypeVar("File")
COPIES = {".pth": "source.pth", ".index": "source.index"}


@dataclass(frozen=True)
class Copied:
    """A voice's files, copied to where nobody else changes them."""

    name: str
    """The source's own name."""
    model: Path
    index: Path | None
    sha256: str
    """Of the model file."""


def copy_source(source: Path, index: Path | None, folder: Path) -> Copied:
    """Copy the model and the index, if any, into ``folder``; ``UsageError`` unless there is exactly one model."""
    if source.is_dir():
        copied = _copy_folder(source, folder)
    elif source.suffix.lower() == ".zip":
        copied = _copy_archive(source, folder)
    else:
        copied = _copy_files(source.parent.name if source.stem == "model" else source.stem, source, None, folder)
    if index is None:
        return copied
    with _opened(index) as file:
        _copy(file, folder / COPIES[".index"])
    return replace(copied, index=folder / COPIES[".index"])


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; ``UsageError`` if it cannot be read."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_folder(source: Path, folder: Path) -> Copied:
    files = [path for path in sorted(source.iterdir()) if path.is_file()]
    model, index = _choose({path.name: path for path in files}, source)
    return _copy_files(source.resolve().name, model, index, folder)


def _copy_files(name: str, model: Path, index: Path | None, folder: Path) -> Copied:
    with _opened(model) as file:
        sha256 = _copy(file, folder / COPIES[".pth"])
    if index:
        with _opened(index) as file:
            _copy(file, folder / COPIES[".index"])
    return Copied(name, folder / COPIES[".pth"], folder / COPIES[".index"] if index else None, sha256)


def _copy_archive(source: Path, folder: Path) -> Copied:
    """Members are written under our own names, so none can escape ``folder``."""
    with _opened(source) as file:
        try:
            with opened_archive(file) as archive:
                named = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
                model, index = _choose(named, source)
                sha256 = _extract(archive, model, folder / COPIES[".pth"], source)
                if index:
                    _extract(archive, index, folder / COPIES[".index"], source)
        except TooManyEntriesError as error:
            raise UsageError(f"{source} has more files in it than a voice.", "Unpack it and add the .pth.") from error
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, ValueError) as error:
            raise RwcPwError(f"{source} is damaged, or no zip.", "Get it again.") from error
    name = PurePosixPath(model.filename).stem
    return Copied(
        source.stem if name == "model" else name,
        folder / COPIES[".pth"],
        folder / COPIES[".index"] if index else None,
        sha256,
    )


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, source: Path) -> str:
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        raise UsageError(f"In {source}, {entry.filename!a} is a link or encrypted.", "Unpack it and add the .pth.")
    if entry.file_size > MOST_RATIO * max(entry.compress_size, 1):
        raise UsageError(f"{source} would unpack to far more than it is.", "Get the voice from elsewhere.")
    with archive.open(entry) as file:
        return _copy(file, target)


def _choose(named: dict[str, File], source: Path) -> tuple[File, File | None]:
    """The model and the index among files: by RVC's naming, those for use, not for training."""

    def of_kind(suffix: str) -> list[str]:
        return [name for name in named if name.lower().endswith(suffix) and "__MACOSX" not in name]

    models = [name for name in of_kind(".pth") if not PurePosixPath(name).name.startswith(TRAINING)]
    indexes = of_kind(".index")
    preferred = [name for name in indexes if PurePosixPath(name).name.startswith("added_")] or indexes
    if not models:
        raise UsageError(f"There is no voice in {source}.", "A voice is a .pth file, with or without an .index.")
    if len(models) > 1 or len(preferred) > 1:
        several = ", ".join(ascii(PurePosixPath(name).name) for name in (models if len(models) > 1 else preferred)[:3])
        raise UsageError(f"{source} has several voices or indexes in it: {several}.", "Add one .pth, with --index.")
    return named[models[0]], named[preferred[0]] if preferred else None


def _opened(path: Path) -> BufferedReader:
    """Open a regular file, and nothing that would block or never end."""
    try:
        return open_file(path)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Name a .pth, a folder or a .zip.") from error


def _copy(file: IO[bytes], target: Path) -> str:
    """Copy ``file``; return the SHA-256 of what was copied."""
    digest, copied_bytes = hashlib.sha256(), 0
    try:
        with target.open("wb") as copy:
            while block := file.read(BLOCK_BYTES):
                copied_bytes += len(block)
                if copied_bytes > LARGEST_FILE_BYTES:
                    raise UsageError("The voice is larger than any voice.", "Voices have about 55 MB.")
                digest.update(block)
                copy.write(block)
    except OSError as error:
        with suppress(OSError):
            target.unlink()
        raise RwcPwError(
            f"The voice cannot be copied: {error.strerror}.", "Free some space, then try again."
        ) from error
    return digest.hexdigest()

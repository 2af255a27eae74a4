"""The forms in which people share voices: a ``.pth``, a folder or a ``.zip``. Copies the voice's files out of it."""

import hashlib
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar
from urllib.parse import unquote, urlsplit

from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.system.reading import open_file
from rwc_pw.voices.archive import MOST_ENTRIES, TooManyEntriesError, is_pickle, opened_archive

LARGEST_FILE_BYTES = 2 << 30
MOST_RATIO = 100  # weights hardly compress
BLOCK_BYTES = 1 << 20
TRAINING = re.compile(r"[GD]_\d+\.pth", re.IGNORECASE)  # checkpoints for further training, not usable as voices
EPOCH = re.compile(r"(.+?)_(?:e(\d+)(?:_s\d+)?|(\d+)e(?:_\d+s)?)(_best_epoch)?", re.IGNORECASE)  # as training saves
MOST_DEPTH = 5
UTF8_FLAG = 0x800  # of a zip's entry
EAST_ASIAN = "cp932", "gbk", "cp949", "big5"
KANA = re.compile("[\u3041-\u30fa]")  # one alone may be a letter of Europe and the next
INNER_ARCHIVE = "inner.zip"
OTHER_ARCHIVES = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}
TAR_MAGIC_AT, TAR_MAGIC = 257, b"ustar"
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
    """Checksum of the model file."""
    told: str = ""
    """A sentence that tells which of several models it is."""


def place_of(text: str) -> Path | None:
    """The file or folder that ``text`` names, as people and file managers write it; None for an address elsewhere."""
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        return Path(unquote(parts.path, errors="surrogateescape")) if parts.netloc in ("", "localhost") else None
    if "://" in text:
        return None
    path = Path(text)
    if os.path.lexists(path):
        return path
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1]
    return place_of(bare) if bare != text else Path(os.path.expanduser(text))  # noqa: PTH111 - Path's raises if there is no such user


def copy_source(source: Path, index: Path | None, folder: Path) -> Copied:
    """Copy the model and the index, if any, into ``folder``; ``UsageError`` unless there is exactly one model.

    What ``source`` is shows in its content, whatever it is called.
    """
    if source.is_dir():
        copied = _copy_folder(source, folder)
    elif _is_shared_archive(source):
        copied = _copy_archive(source, folder)
    else:
        name = _own_name(source.name)
        copied = _copy_files(source.absolute().parent.name if name == "model" else name, source, None, folder)
    if index is None:
        return copied
    with _opened(index) as file:
        _copy(file, folder / COPIES[".index"])
    return replace(copied, index=folder / COPIES[".index"])


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; ``UsageError`` if it cannot be read."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_shared_archive(source: Path) -> bool:
    """Return whether it is a zip, and not the one that PyTorch makes of a model; ``UsageError`` for other archives."""
    with _opened(source) as file:
        start = file.read(TAR_MAGIC_AT + len(TAR_MAGIC))
        kind = next((kind for magic, kind in OTHER_ARCHIVES.items() if start.startswith(magic)), None)
        if start[TAR_MAGIC_AT:] == TAR_MAGIC and source.suffix.lower() != ".pth":
            kind = "tar"
        if kind:
            raise UsageError(f"{source} is an archive of the kind {kind}.", "Unpack it, then add the folder.")
        if source.suffix.lower() == ".zip":
            return not _is_model(file)
        return zipfile.is_zipfile(file) and not _is_model(file)


def _is_model(file: BufferedReader) -> bool:
    """Return whether a zip is PyTorch's, or none that can be read: that is for the inspector to say."""
    try:
        with opened_archive(file) as archive:
            return any(map(is_pickle, archive.namelist()))
    except (TooManyEntriesError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def _own_name(name: str) -> str:
    """A file's name without what tells its kind."""
    while (path := PurePosixPath(name)).suffix.lower() in (".pth", ".zip"):
        name = path.stem
    return name


def _copy_folder(source: Path, folder: Path) -> Copied:
    files = _files_in(source)
    models = [path for path in files if _is_for_use(path.name)]
    nearest = min((len(path.parts) for path in models), default=0)
    named = {str(path.relative_to(source)): path for path in files if path not in models or len(path.parts) == nearest}
    model, index, told = _choose(named, source)
    name = _own_name(model.name)
    copied = _copy_files(model.resolve().parent.name if name == "model" else name, model, index, folder)
    return replace(copied, told=told)


def _files_in(source: Path) -> list[Path]:
    """The files in a folder and in the folders in it, as archives are unpacked; hidden ones are no part of a voice."""
    found: list[Path] = []
    for place, folders, files in os.walk(source):
        is_deep = len(Path(place).relative_to(source).parts) >= MOST_DEPTH
        folders[:] = [] if is_deep else sorted(name for name in folders if not _is_aside(name))
        found += [Path(place, name) for name in sorted(files) if Path(place, name).is_file()]
        if len(found) > MOST_ENTRIES:
            raise UsageError(f"{source} has more files in it than a voice.", "Name the folder of the voice alone.")
    return found


def _is_aside(path: str) -> bool:
    """Return whether it is something that a system left beside the voice: hidden, or macOS's second halves of files."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.split("/"))


def _is_for_use(name: str) -> bool:
    base = PurePosixPath(name).name
    return base.lower().endswith(".pth") and not _is_aside(name) and not TRAINING.fullmatch(base)


def _copy_files(name: str, model: Path, index: Path | None, folder: Path) -> Copied:
    with _opened(model) as file:
        sha256 = _copy(file, folder / COPIES[".pth"])
    if index:
        with _opened(index) as file:
            _copy(file, folder / COPIES[".index"])
    return Copied(name, folder / COPIES[".pth"], folder / COPIES[".index"] if index else None, sha256)


def _copy_archive(source: Path, folder: Path, opened: Path | None = None) -> Copied:
    """Members are written under our own names, so none can escape ``folder``.

    ``opened`` is the only archive in ``source``, where it was wrapped in another.
    """
    with _opened(opened or source) as file:
        try:
            with opened_archive(file) as archive:
                named = {_entry_path(entry): entry for entry in archive.infolist() if not entry.is_dir()}
                if not opened and (inner := _inner_archive(named)):
                    _extract(archive, inner, folder / INNER_ARCHIVE, source)
                    name = _own_name(PurePosixPath(_entry_path(inner)).name)
                    return _copy_inner(source, folder, name)
                model, index, told = _choose(named, source)
                sha256 = _extract(archive, model, folder / COPIES[".pth"], source)
                if index:
                    _extract(archive, index, folder / COPIES[".index"], source)
        except TooManyEntriesError as error:
            raise UsageError(f"{source} has more files in it than a voice.", "Unpack it and add the .pth.") from error
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, ValueError) as error:
            raise RwcPwError(f"{source} is damaged, or no zip.", "Get it again.") from error
    path = PurePosixPath(_entry_path(model))
    name = _own_name(path.name)
    return Copied(
        path.parent.name or _own_name(source.name) if name == "model" else name,
        folder / COPIES[".pth"],
        folder / COPIES[".index"] if index else None,
        sha256,
        told,
    )


def _inner_archive(named: dict[str, zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """The one archive in an archive that has no voice of its own, as some sites wrap what is downloaded."""
    inner = [entry for name, entry in named.items() if name.lower().endswith(".zip") and not _is_aside(name)]
    return inner[0] if len(inner) == 1 and not any(map(_is_for_use, named)) else None


def _copy_inner(source: Path, folder: Path, name: str) -> Copied:
    """The voice in the inner archive, which has that ``name``."""
    inner = folder / INNER_ARCHIVE
    try:
        copied = _copy_archive(source, folder, inner)
    finally:
        inner.unlink()
    return replace(copied, name=name) if copied.name == _own_name(source.name) else copied


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, source: Path) -> str:
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        raise UsageError(f"In {source}, {entry.filename!a} is a link or encrypted.", "Unpack it and add the .pth.")
    if entry.file_size > MOST_RATIO * max(entry.compress_size, 1):
        raise UsageError(f"{source} would unpack to far more than it is.", "Get the voice from elsewhere.")
    with archive.open(entry) as file:
        return _copy(file, target)


def _choose(named: dict[str, File], source: Path) -> tuple[File, File | None, str]:
    """The model and the index among files, by RVC's naming those for use, not for training; and what to tell of it."""
    models = [name for name in named if _is_for_use(name)]
    if not models:
        raise UsageError(f"There is no voice in {source}.", "A voice is a .pth file, with or without an .index.")
    models, told = _longest_trained(models)
    indexes = [name for name in named if name.lower().endswith(".index") and not _is_aside(name)]
    better: tuple[Callable[[str], bool], ...] = (
        lambda name: PurePosixPath(name).name.lower().startswith("added_"),
        lambda name: not PurePosixPath(name).name.lower().startswith("trained_"),
        lambda name: _trained(models[0])[0] in name.lower(),
    )
    for is_better in better:
        indexes = [name for name in indexes if is_better(name)] or indexes
    if len(models) > 1 or len(indexes) > 1:
        several = ", ".join(ascii(PurePosixPath(name).name) for name in (models if len(models) > 1 else indexes)[:3])
        raise UsageError(
            f"{source} has several voices or indexes in it: {several}.",
            "Unpack it, then run `rwc-pw voices add` with one .pth and its --index.",
        )
    return named[models[0]], named[indexes[0]] if indexes else None, told


def _longest_trained(models: list[str]) -> tuple[list[str], str]:
    """The last of one voice's models at several epochs of its training, and what to tell; else all of them."""
    states = {_trained(name) for name in models}
    if len(models) < 2 or len(states) < len(models) or len({name for name, *_ in states}) > 1:
        return models, ""
    best = max(models, key=lambda name: _trained(name)[1:])
    return [best], f"Of {len(models)} states of its training, the last is taken: {PurePosixPath(best).name!a}."


def _trained(model: str) -> tuple[str, int, int]:
    """A voice's name, and how far it was trained: what bears no epoch was saved at the end, what is best after that."""
    stem = _own_name(PurePosixPath(model).name)
    if not (found := EPOCH.fullmatch(stem)):
        return stem.lower(), 2, 0
    name, epoch, other_epoch, is_best = found.groups()
    return name.lower(), 1 if is_best else 0, int((epoch or other_epoch)[:9])


def _entry_path(entry: zipfile.ZipInfo) -> str:
    """An entry's path: Windows writes backslashes, and what it calls letters; macOS writes UTF-8 without saying so."""
    name = entry.filename
    if not entry.flag_bits & UTF8_FLAG:
        with suppress(UnicodeError):  # it has been decoded otherwise
            name = _decoded(name.encode("cp437"))
    return name.replace("\\", "/")


def _decoded(name: bytes) -> str:
    """A name in no encoding that is told; in some, a letter's second byte is a backslash, which separates nothing."""
    with suppress(UnicodeError):
        return name.decode("utf-8")
    for encoding in EAST_ASIAN:
        with suppress(UnicodeError):
            decoded = name.decode(encoding)
            if len(KANA.findall(decoded)) > 1 or re.search(rb"[\x80-\xff]\\", name):
                return decoded
    return name.decode("cp437")


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

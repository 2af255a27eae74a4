"""Reads what torch.save wrote, without torch and without running anything in it: a zip, or the older form.

The zip has entries for a pickle and for each storage; the older form is five pickles, and after them the storages.
"""

import zipfile
from io import BufferedReader, BytesIO
from pathlib import Path

from rwc_pw.voices.archive import TooManyEntriesError, is_pickle, opened_archive
from rwc_pw.voices.tensors import DAMAGED, TOO_MUCH, BadTorchFileError, Storages
from rwc_pw.voices.torch_pickle import RUNS_CODE, read_pickle

LARGEST_PICKLE_BYTES = 1 << 20  # ten times those of common voices; as objects it may become a hundred times as large
ZIP_START = b"PK\3\4"
OLDER_START = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the first of the five pickles: a magic number
OLDER_VERSION = 1001
TOO_LARGE = "holds more than any voice does"
OTHER_BYTE_ORDER = "was saved by a machine of another byte order"


def read_torch_file(path: Path) -> object:
    """The object in ``path``, with numpy arrays for tensors; ``BadTorchFileError`` for whatever is not weights.

    They need as much memory as the file, or twice that for bfloat16, which becomes float32.
    """
    with path.open("rb") as file:
        start, file_bytes = file.read(len(OLDER_START)), path.stat().st_size
        if start.startswith(ZIP_START):
            return _read_archive(file, file_bytes)
        if start == OLDER_START:
            return _read_older(file, file_bytes)
    raise BadTorchFileError("is not in PyTorch's format, or it is cut short")


def _read_archive(file: BufferedReader, file_bytes: int) -> object:
    try:
        with opened_archive(file) as archive:
            return _read_entries(archive, file_bytes)
    except TooManyEntriesError as error:
        raise BadTorchFileError(TOO_LARGE) from error
    except BadTorchFileError:
        raise
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise BadTorchFileError(DAMAGED) from error


def _read_entries(archive: zipfile.ZipFile, file_bytes: int) -> object:
    pickled = _check_entries(archive.infolist())
    entries, folder = archive.NameToInfo, pickled.filename.partition("/")[0]
    if order := entries.get(f"{folder}/byteorder"):
        with archive.open(order) as file:
            _check_order(file.read(len(b"little") + 1) == b"little")
    storages = Storages(file_bytes)
    content = read_pickle(BytesIO(archive.read(pickled)), storages.declare)
    for key, storage in storages.items():
        entry = entries.get(f"{folder}/data/{key}")
        if entry is None or entry.file_size != storage.stored_bytes:
            raise BadTorchFileError(TOO_MUCH)
        with archive.open(entry) as file:
            storage.fill(file)
    return content


def _check_entries(entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """The one entry with a pickle."""
    pickles = [entry for entry in entries if is_pickle(entry.filename)]
    if len(pickles) != 1:
        raise BadTorchFileError("is an archive, but not of a voice")
    if pickles[0].file_size > LARGEST_PICKLE_BYTES:
        raise BadTorchFileError(TOO_LARGE)
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise BadTorchFileError("is compressed, as no voice is")  # however large it would become
    if len({entry.filename for entry in entries}) != len(entries):
        raise BadTorchFileError("contains an entry twice")
    return pickles[0]


def _check_order(is_little: bool) -> None:
    if not is_little:
        raise BadTorchFileError(OTHER_BYTE_ORDER)


def _read_older(file: BufferedReader, file_bytes: int) -> object:
    """The object in the older form, whose pickles a limited part of the file must hold."""
    file.seek(len(OLDER_START))
    pickles, storages = BytesIO(file.read(LARGEST_PICKLE_BYTES)), Storages(file_bytes)
    if read_pickle(pickles, _no_storage) != OLDER_VERSION:
        raise BadTorchFileError(DAMAGED)
    match read_pickle(pickles, _no_storage):
        case {"little_endian": bool(is_little)}:
            _check_order(is_little)
    content, keys = read_pickle(pickles, storages.declare), read_pickle(pickles, _no_storage)
    declared = dict(storages.items())
    if not isinstance(keys, list) or len(keys) != len(declared):
        raise BadTorchFileError(DAMAGED)
    file.seek(len(OLDER_START) + pickles.tell())
    for key in keys:
        storage = declared.pop(key, None) if isinstance(key, str) else None
        if storage is None or int.from_bytes(file.read(8), "little") != len(storage.numbers):
            raise BadTorchFileError(DAMAGED)
        storage.fill(file)
    return content


def _no_storage(_: object) -> object:
    raise BadTorchFileError(RUNS_CODE)

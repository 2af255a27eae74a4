"""Opens zip archives of strangers, without trusting how much they hold."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO

MOST_ENTRIES = 10_000
LONGEST_READ_BYTES = 4 << 20


class TooManyEntriesError(Exception):
    """The archive has more entries than any voice."""


@contextmanager
def opened_archive(file: BufferedReader) -> Iterator[zipfile.ZipFile]:
    """``file``, which is closed afterwards, as an archive.

    ``TooManyEntriesError``, or whatever zipfile raises: ``BadZipFile``, ``NotImplementedError`` or ``ValueError``.
    """
    with _ShortReads(file.raw) as short, zipfile.ZipFile(short) as archive:
        if len(archive.infolist()) > MOST_ENTRIES:
            raise TooManyEntriesError
        if any(entry.header_offset < 0 for entry in archive.infolist()):  # zipfile would find out as an OSError
            raise zipfile.BadZipFile
        yield archive


def is_pickle(entry: str) -> bool:
    """Return whether the entry of that name is where PyTorch describes a model: each archive that it makes has one."""
    return entry.count("/") == 1 and entry.endswith("/data.pkl")


class _ShortReads(BufferedReader):
    """zipfile reads the list of entries in one piece, and needs ten times its size in memory."""

    raw: FileIO

    def read(self, size: int | None = -1, /) -> bytes:
        most = LONGEST_READ_BYTES + 1
        content = super().read(most if size is None or size < 0 else min(size, most))
        if len(content) == most:
            raise TooManyEntriesError
        return content

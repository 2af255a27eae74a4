"""Opens and reads files that may be anything: what would block, never end or fill the memory is refused."""

import codecs
import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

MOST_TEXT_BYTES = 1 << 20


def open_file(path: Path) -> BufferedReader:
    """The opened file; ``OSError``, whose ``strerror`` says why, also if it is no regular file or no path at all."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe's opening would wait
    except ValueError as error:
        raise OSError(errno.EINVAL, "no file has such a name") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else "it is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_text(path: Path) -> str:
    """The text, of at most 1 MiB, as editors leave it: a byte order mark tells UTF-16 from UTF-8, and is no part of it.

    ``OSError`` if it cannot be read, ``ValueError`` if it is in neither.
    """
    with open_file(path) as file:
        content = file.read(MOST_TEXT_BYTES + 1)
    if len(content) > MOST_TEXT_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return content.decode(encoding).replace("\r\n", "\n")

"""Prints what strangers have named: no name or answer moves the cursor, or turns around what is printed."""

import builtins
import logging
import sys
import unicodedata
from typing import IO

KEPT = "\n\t\u200c\u200d"  # the last two join letters and pictures, and have no other power


def printable(text: str) -> str:
    """The text with each control character, bidirectional override and lone surrogate as its escape."""
    return "".join(
        character
        if character.isprintable() or character in KEPT or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def one_line(text: str) -> str:
    """The text, printable, also without ends of lines."""
    return printable(text).replace("\n", "\\n")


def print(*values: object, sep: str = " ", file: IO[str] | None = None, flush: bool = False) -> None:
    """Print as Python does, in printable characters that the stream's encoding has."""
    stream = file or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = printable(sep.join(map(str, values)))
    builtins.print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=flush)


class PrintableFormatter(logging.Formatter):
    """Formats what is logged in printable characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))

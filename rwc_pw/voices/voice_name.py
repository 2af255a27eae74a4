"""A voice's name: which one can be, and what is made of one that cannot."""

import unicodedata
from collections.abc import Callable

LONGEST_CHARACTERS = 64
LONGEST_BYTES = 200  # a folder's name may have 255
IMPOSSIBLE = "/\\`"  # the first two separate folders, the third ends a command in our messages
IMPOSSIBLE_FIRST = ".-"  # hidden files, and options of commands
UNNAMED = "Voice"


def is_possible(name: str) -> bool:
    """Return whether a voice can be called so: one printable line, for a folder's name and a command line."""
    return name == fitting_name(name)


def fitting_name(given: str, is_free: Callable[[str], bool] = lambda _: True) -> str:
    """The possible name that is closest to ``given``; with a number after it while it is not free."""
    name = _shaped(given)
    if not any(character.isalnum() for character in name):
        name = UNNAMED
    fitting, number = name, 2
    while not is_free(fitting):
        end = f" ({number})"
        fitting, number = _cut(name, len(end)).rstrip() + end, number + 1
    return fitting


def _shaped(given: str) -> str:
    composed = unicodedata.normalize("NFC", given)
    printable = "".join(
        character if character.isprintable() and character not in IMPOSSIBLE else " " for character in composed
    )
    return _cut(" ".join(printable.split()).lstrip(IMPOSSIBLE_FIRST + " "), 0).rstrip()


def _cut(name: str, spare: int) -> str:
    """So much of ``name`` as may be, with room for ``spare`` characters more."""
    short = name[: LONGEST_CHARACTERS - spare]
    return short.encode()[: LONGEST_BYTES - spare].decode(errors="ignore")

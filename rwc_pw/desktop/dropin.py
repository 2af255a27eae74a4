"""The PipeWire drop-in that makes the microphone, and the same microphone as a ``pw-cli`` argument."""

import re
from collections.abc import Iterable
from importlib import resources

_TOKEN = re.compile(r'#[^\n]*|"(?:\\.|[^"\\])*"|[{}\[\]]|[=:]|[^\s{}\[\]=:,#"]+')


def dropin_text() -> str:
    """The shipped drop-in, comments and all."""
    return (resources.files(__package__) / "50-rwc-voice.conf").read_text(encoding="utf-8")


def source_properties(text: str) -> str:
    """The argument of ``pw-cli create-node adapter`` that makes the drop-in's node at once, on one line.

    ``object.linger`` keeps the node when pw-cli ends; it dies with that PipeWire, and the drop-in takes over.
    """
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("#")]
    return " ".join([*_object_around(tokens, "node.name", '"rwc_voice"')[:-1], "object.linger", "=", "true", "}"])


def _object_around(tokens: list[str], key: str, value: str) -> list[str]:
    """The tokens of the innermost ``{ … }`` that holds ``key = value``."""
    for start, end in _objects(tokens):
        inside = tokens[start:end]
        if any(inside[i] == key and inside[i + 1] in "=:" and inside[i + 2] == value for i in range(len(inside) - 2)):
            return inside
    raise ValueError(f"The drop-in has no object with {key} = {value}.")


def _objects(tokens: Iterable[str]) -> Iterable[tuple[int, int]]:
    """Start and end of every ``{ … }``, inner ones first."""
    opened: list[int] = []
    for position, mark in enumerate(tokens):
        if mark == "{":
            opened.append(position)
        elif mark == "}":
            yield opened.pop(), position + 1

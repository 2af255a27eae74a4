"""The commands that messages tell: each is there, with the options that it is told with."""

import re
from pathlib import Path
from typing import Any

import typer

import rwc_pw
from rwc_pw.cli.main import app

TOLD = re.compile(r"`rwc-pw ([^`]+)`")


def told_commands() -> list[str]:
    """All that stand in the program's texts, also where they go over two lines."""
    package = Path(rwc_pw.__file__).parent
    texts = (re.sub(r'"\s+f?"', "", path.read_text(encoding="utf-8")) for path in package.rglob("*.py"))
    return [told for text in texts for told in TOLD.findall(text)]


def test_every_command_that_is_told_is_there_with_its_options() -> None:
    told = told_commands()
    assert len(told) > 20
    for line in told:
        command: Any = typer.main.get_command(app)
        words = line.split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for option in command.params for name in option.opts}
        asked = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert asked <= known, line
        assert command is not typer.main.get_command(app)
        if hasattr(command, "commands"):  # only the root takes options of its own
            assert not words or words[0].startswith("--"), line

import pytest
from rich.console import Console

from rwc_pw.cli.terminal import METER_CELLS, meter, screen
from rwc_pw.pipewire.transport import Levels
from rwc_pw.status import State, Status


@pytest.mark.parametrize(
    ("level", "cells", "number"),
    [
        (0.0, 0, "silence"),
        (1e-9, 0, "silence"),
        (0.001, 0, "silence"),
        (0.0316228, 15, " -30.0 dBFS"),
        (0.5, 27, "  -6.0 dBFS"),
        (1.0, 30, "   0.0 dBFS"),
        (2.0, 30, "   6.0 dBFS"),
    ],
)
def test_the_bar_is_as_long_as_the_sound_is_loud(level, cells, number):
    assert meter(level) == "█" * cells + "·" * (METER_CELLS - cells) + f" {number}"


def test_the_screen_shows_the_status_and_both_meters():
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(screen(Status(State.RUNNING, voice="robot"), Levels(captured=1.0, played=0.0)))
    lines = [line.split(maxsplit=1) for line in capture.get().splitlines()]
    shown = {words[0]: words[1].strip() for words in lines}
    assert shown["Voice"] == "robot"
    assert shown["In"] == meter(1.0)
    assert shown["Out"] == meter(0.0)

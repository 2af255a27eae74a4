"""No name moves the cursor of who reads it."""

from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest

import rwc_pw.cli
from rwc_pw.cli.printing import one_line, print, printable
from rwc_pw.cli.progress import bytes_done, share_done
from rwc_pw.cli.shared import print_list


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\rb\x07\x9b1m\x7f", "a\\rb\\x07\\x9b1m\\x7f"),
        ("exe\u202egpj.pth", "exe\\u202egpj.pth"),
        ("\u2066a\u2028b\udc80", "\\u2066a\\u2028b\\udc80"),
        ("Zoë 声 «a» 👩\u200d🎤 क\u200cष a\u00a0b", "Zoë 声 «a» 👩\u200d🎤 क\u200cष a\u00a0b"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_has_power_over_a_terminal_is_printed_as_its_escape(text: str, told: str) -> None:
    assert printable(text) == told
    output = StringIO()
    print(text, file=output)
    assert output.getvalue() == f"{told}\n"
    assert one_line("two\nlines") == "two\\nlines"


def test_what_an_encoding_lacks_is_printed_as_its_escape() -> None:
    content = BytesIO()
    output = TextIOWrapper(content, "ascii")
    print("Zoë", file=output, flush=True)
    assert content.getvalue() == b"Zo\\xeb\n"


def test_a_name_in_a_list_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([{"name": "a\nfail  b", "is_current": False}], False, lambda voice: voice["name"])
    assert capsys.readouterr().out == "a\\nfail  b\n"


def test_a_name_is_no_markup(capfd: pytest.CaptureFixture[str]) -> None:
    with share_done("[/red]\x1b[2J.wav") as tell:
        tell(1)
    with bytes_done() as tell_bytes:
        tell_bytes("[/red][bold].zip", 1, 1)
    told = capfd.readouterr().err
    assert "[/red]\\x1b[2J.wav" in told
    assert "[/red][bold].zip" in told


def test_each_command_prints_so() -> None:
    for path in Path(str(rwc_pw.cli.__path__[0])).glob("*.py"):
        text = path.read_text()
        assert " print(" not in text or "def print(" in text or "from rwc_pw.cli.printing import " in text, path.name
        assert "print as" not in text

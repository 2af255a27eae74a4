"""Names as people give them."""

import pytest

from rwc_pw.voices.voice_name import fitting_name, is_possible


@pytest.mark.parametrize(
    "name", ["Singer (1)", "Guns N' Roses", "Singer [2010s]", "Rick & Morty", "Dr. Who, 10th", "Voz v2.", "初音ミク"]
)
def test_names_as_people_give_them_stay(name: str) -> None:
    assert is_possible(name)
    assert fitting_name(name) == name


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        ("..", "Voice"),
        ("", "Voice"),
        ("---x", "x"),
        ("../a/b", "a b"),
        ("a`b", "a b"),
        ("a\nb\x1b[0m", "a b [0m"),
        ("e\u0301", "\u00e9"),
        ("x" * 255, "x" * 64),
        ("\udcff", "Voice"),
    ],
)
def test_what_does_not_fit_is_changed_into_what_does(given: str, fitting: str) -> None:
    assert fitting_name(given) == fitting
    assert is_possible(fitting)


def test_a_name_that_is_taken_gets_a_number_however_long_it_is() -> None:
    taken = {"x" * 64, "x" * 60 + " (2)"}
    assert fitting_name("x" * 99, lambda name: name not in taken) == "x" * 60 + " (3)"

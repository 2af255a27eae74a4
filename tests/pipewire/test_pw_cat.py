import os
import re

import pytest

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.pw_cat import PwCat, recorded_channels

OLD_HELP = """\
pw-cat [options] [<file>|-]
  -R, --remote                          Remote daemon name
      --target                          Set node target serial or name (default auto)
                                          0 means don't link
  -P  --properties                      Set node properties
"""
NEW_HELP = OLD_HELP + "  -a, --raw                             RAW mode\n"


def version_text(version: str) -> str:
    return f"pw-cat\nCompiled with libpipewire {version}\nLinked with libpipewire {version}\n"


VERSIONS = [("0.3.53", OLD_HELP), ("0.3.65", OLD_HELP), ("1.2.7", OLD_HELP), ("1.4.2", NEW_HELP)]
COMMANDS = {"capture": "--record", "playback": "--playback"}


def words_of(pw_cat: PwCat, verb: str, channels: int = 1) -> list[str]:
    given = ("rwc-pw.one", 512)
    return pw_cat.capture(*given, channels) if verb == "capture" else pw_cat.playback(*given)


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize(("version", "help_text"), VERSIONS)
def test_the_command_line_is_what_this_version_understands(version, help_text, verb):
    words = words_of(PwCat.probe(version_text(version), help_text), verb)
    options = words[words.index("pw-cat") + 1 :]
    raw = ["--raw"] if help_text is NEW_HELP else []
    assert options[: 1 + len(raw)] == [COMMANDS[verb], *raw]
    assert options[1 + len(raw) : -3] == [
        *("--target", "0", "--rate", "48000", "--channels", "1", "--channel-map", "mono"),
        *("--format", "f32", "--latency", "512", "--media-role", "rwc-pw"),
    ]
    assert options[-3] == "--properties"
    assert options[-1] == "-"


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_stream_keeps_no_device_awake_and_connects_to_nothing_by_itself(verb):
    words = words_of(PwCat("1.4.2", needs_raw_flag=True), verb)
    properties = dict(re.findall(r'([\w.-]+) = "([^"]*)"', words[words.index("--properties") + 1]))
    assert properties["node.name"] == "rwc-pw.one"
    assert properties["node.passive"] == properties["node.dont-reconnect"] == "true"
    assert properties["node.autoconnect"] == "false"
    assert properties["node.group"] == properties["node.link-group"] == "rwc-pw"
    assert "RWC Voice" not in properties.values()  # there is one of that name, also in JACK
    assert not [key for key in properties if key.startswith("target.") or key == "node.target"]


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_stream_dies_with_us_and_holds_nothing_back(verb):
    words = words_of(PwCat("1.4.2", needs_raw_flag=False), verb)
    before = words[: words.index("pw-cat")]
    assert before[:3] == ["setpriv", "--pdeathsig", "KILL"]
    assert before[-4:] == [str(os.getpid()), "stdbuf", "-i0", "-o0"]


@pytest.mark.parametrize(
    ("text", "named"), [(version_text("0.3.52"), "0.3.52"), (version_text("0.2.99"), "0.2.99"), ("what?", "unknown")]
)
def test_one_that_is_too_old_is_named(text, named):
    with pytest.raises(UnavailableError, match=f"pw-cat {re.escape(named)} is too old") as caught:
        PwCat.probe(text, OLD_HELP)
    assert "0.3.53" in caught.value.remedy


def test_the_source_is_made_as_it_is_told_and_given_no_target():
    assert argv.create_source("{ a = b }") == ["pw-cli", "create-node", "adapter", "{ a = b }"]


def test_a_link_is_passive_and_named_by_its_ports():
    assert argv.link(12, 34) == ["pw-link", "-P", "12", "34"]
    assert argv.unlink(12, 34) == ["pw-link", "-d", "12", "34"]


def test_channels_are_numbered_so_that_none_is_mixed_with_another_on_the_way():
    words = words_of(PwCat("1.4.2", needs_raw_flag=True), "capture", 3)
    at = words.index("--channels")
    assert words[at : at + 4] == ["--channels", "3", "--channel-map", "AUX0,AUX1,AUX2"]


def test_what_is_recorded_has_all_channels_and_a_number_of_them_that_every_pw_cat_takes():
    assert [recorded_channels(channels) for channels in (1, 2, 3, 18, 63)] == [1, 2, 4, 18, 64]

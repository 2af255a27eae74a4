import subprocess
import sys
from pathlib import Path

import pytest

from rwc_pw.desktop.dropin import dropin_text, source_properties


def test_the_packaged_drop_in_is_the_one_at_the_top_of_the_checkout():
    assert dropin_text() == Path(__file__).parents[2].joinpath("pipewire-conf/50-rwc-voice.conf").read_text()


def test_the_installed_package_carries_the_drop_in(tmp_path):
    """Another Python, away from the checkout: under ``install.sh --test`` this is what the wheel holds."""
    show = "import sys; from rwc_pw.desktop.dropin import dropin_text; sys.stdout.write(dropin_text())"
    assert subprocess.check_output([sys.executable, "-P", "-c", show], cwd=tmp_path, text=True) == dropin_text()


def test_the_shipped_node_as_a_pw_cli_argument():
    assert source_properties(dropin_text()) == (
        '{ factory.name = support.null-audio-sink media.class = "Audio/Source/Virtual" node.name = "rwc_voice"'
        ' node.description = "RWC Voice" node.nick = "RWC Voice" node.virtual = true node.group = "rwc-pw"'
        ' node.link-group = "rwc-pw" audio.rate = 48000 audio.channels = 1 audio.position = [ MONO ]'
        " monitor.channel-volumes = true monitor.passthrough = true priority.session = 0"
        ' device.icon-name = "audio-input-microphone" object.linger = true }'
    )


def test_only_the_voice_node_is_taken_with_its_inner_objects_whole():
    text = """
    context.objects = [
        { args = { node.name = "other" } }   # { node.name = "rwc_voice"
        { args = { node.name:"rwc_voice", inner={ a=1 b=[ 2 3 ] } last = yes } }
        { args = { node.name = "third" } }
    ]"""
    assert source_properties(text) == (
        '{ node.name : "rwc_voice" inner = { a = 1 b = [ 2 3 ] } last = yes object.linger = true }'
    )


def test_marks_inside_quotes_are_text():
    text = r'{ node.name = "rwc_voice" node.nick = "a # } \" { b" }'
    assert source_properties(text) == r'{ node.name = "rwc_voice" node.nick = "a # } \" { b" object.linger = true }'


def test_a_drop_in_without_the_node_is_refused():
    with pytest.raises(ValueError, match="rwc_voice"):
        source_properties('{ node.name = "other" }')

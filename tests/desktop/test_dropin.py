import subprocess
import sys
from pathlib import Path

from rwc_pw.desktop.dropin import dropin_text, source_properties


def test_the_packaged_drop_in_is_the_one_at_the_top_of_the_checkout():
    assert dropin_text() == Path(__file__).parents[2].joinpath("pipewire-conf/50-rwc-voice.conf").read_text()


def test_the_installed_package_carries_the_drop_in(tmp_path):
    """Another Python, away from the checkout: under ``install.sh --test`` this is what the wheel holds."""
    show = "import sys; from rwc_pw.desktop.dropin import dropin_text; sys.stdout.write(dropin_text())"
    assert subprocess.check_output([sys.executable, "-P", "-c", show], cwd=tmp_path, text=True) == dropin_text()


def test_the_shipped_node_as_a_pw_cli_argument():
    assert source_properties() == (
        '{ factory.name = support.null-audio-sink media.class = "Audio/Source/Virtual" node.name = "rwc_voice"'
        ' node.description = "RWC Voice" node.nick = "RWC Voice" node.virtual = true node.group = "rwc-pw"'
        ' node.link-group = "rwc-pw" audio.rate = 48000 audio.channels = 1 audio.position = [ MONO ]'
        " monitor.channel-volumes = true monitor.passthrough = true session.suspend-timeout-seconds = 0"
        " priority.session = 0"
        ' device.icon-name = "audio-input-microphone" object.linger = true }'
    )

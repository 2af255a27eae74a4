import pytest

from rwc_pw.errors import UnavailableError
from rwc_pw.system.paths import Paths


def places(env):
    paths = Paths.from_environment(env)
    return {
        name: str(getattr(paths, name))
        for name in ("config_file", "drop_in", "autostart_entry", "bus_service", "data_dir", "state_dir")
    }


BELOW_HOME = {
    "config_file": "/home/ann/.config/rwc-pw/config.toml",
    "drop_in": "/home/ann/.config/pipewire/pipewire.conf.d/50-rwc-voice.conf",
    "autostart_entry": "/home/ann/.config/autostart/io.github.rwcpw.Voice.desktop",
    "bus_service": "/home/ann/.local/share/dbus-1/services/io.github.rwcpw.Voice.service",
    "data_dir": "/home/ann/.local/share/rwc-pw",
    "state_dir": "/home/ann/.local/state/rwc-pw",
}


def test_without_xdg_variables_everything_lies_below_home():
    assert places({"HOME": "/home/ann"}) == BELOW_HOME


def test_each_xdg_variable_moves_its_own_files():
    env = {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"}
    assert places(env) == {
        "config_file": "/c/rwc-pw/config.toml",
        "drop_in": "/c/pipewire/pipewire.conf.d/50-rwc-voice.conf",
        "autostart_entry": "/c/autostart/io.github.rwcpw.Voice.desktop",
        "bus_service": "/d/dbus-1/services/io.github.rwcpw.Voice.service",
        "data_dir": "/d/rwc-pw",
        "state_dir": "/s/rwc-pw",
    }


@pytest.mark.parametrize("ignored", ["", "relative", "./relative", "~/.config"])
def test_values_that_are_not_absolute_are_ignored(ignored):
    env = dict.fromkeys(["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"], ignored)
    assert places(env | {"HOME": "/home/ann"}) == BELOW_HOME


@pytest.mark.parametrize("env", [{}, {"HOME": ""}, {"HOME": "ann"}])
def test_a_home_that_names_no_folder_is_said_so(env):
    with pytest.raises(UnavailableError, match="HOME") as caught:
        Paths.from_environment(env)
    assert "XDG_CONFIG_HOME" in caught.value.remedy

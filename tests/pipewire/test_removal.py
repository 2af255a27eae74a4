import pytest

from rwc_pw.pipewire.graph import Node
from rwc_pw.pipewire.source import removal


@pytest.mark.parametrize("state", ["creating", "idle", "running", "error"])
def test_what_the_session_manager_may_be_about_to_suspend_is_not_destroyed(state):
    assert removal(Node(7, "rwc_voice", "Audio/Source/Virtual", state)) == [
        "pw-cli",
        "send-command",
        "7",
        "Suspend",
        "{}",
    ]


def test_what_is_suspended_is_destroyed():
    assert removal(Node(7, "rwc_voice", "Audio/Source/Virtual", "suspended")) == ["pw-cli", "destroy", "7"]

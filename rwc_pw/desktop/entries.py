"""The texts of the two files that start the daemon: the autostart entry and the session bus's service file."""

import re
import shlex
from collections.abc import Sequence

from rwc_pw.names import APPLICATION_ID


def autostart_text(launcher: Sequence[str]) -> str:
    """The autostart entry that runs ``launcher daemon`` at login."""
    command = " ".join(_desktop_argument(word) for word in [*launcher, "daemon"])
    return _keyfile(
        "Desktop Entry",
        Type="Application",
        Name="RWC Voice",
        Comment="A microphone that speaks in another voice",
        Icon="audio-input-microphone",
        Exec=command,
        Terminal="false",
        NoDisplay="true",
        **{"X-GNOME-Autostart-enabled": "true"},
    )


def bus_service_text(launcher: Sequence[str]) -> str:
    """The D-Bus activation file that runs ``launcher daemon`` when its name is called."""
    return _keyfile("D-BUS Service", Name=APPLICATION_ID, Exec=shlex.join([*launcher, "daemon"]))


def _keyfile(group: str, **values: str) -> str:
    return f"[{group}]\n" + "".join(f"{key}={_escaped(value)}\n" for key, value in values.items())


def _escaped(value: str) -> str:
    """``value``, escaped as both specifications' ``string`` type requires."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _desktop_argument(word: str) -> str:
    """One word of an Exec line, quoted if it contains characters that the Desktop Entry Specification reserves."""
    word = word.replace("%", "%%")  # a lone % begins a field code
    if re.fullmatch(r"[^\s\"'\\><~|&;$*?#()`]+", word):
        return word
    return '"' + re.sub(r'(["`$\\])', r"\\\1", word) + '"'

import configparser
import subprocess
import sys

import pytest

from rwc_pw.desktop import launcher
from rwc_pw.desktop.entries import autostart_text, bus_service_text
from tests.patience import PATIENCE_S

ODD_WORD = r"""/opt/it's "50%" of $HOME \ `here`/python"""


def exec_line(text):
    return next(line.removeprefix("Exec=") for line in text.splitlines() if line.startswith("Exec="))


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("/home/ann/my voice/python", '"/home/ann/my voice/python"'),
        ("/opt/50%/python", "/opt/50%%/python"),
        ("/opt/$HOME/python", r'"/opt/\\$HOME/python"'),
        (r"/opt/back\slash/python", r'"/opt/back\\\\slash/python"'),
        ('/opt/"quoted"/python', r'"/opt/\\"quoted\\"/python"'),
        ("/opt/two\nlines/python", r'"/opt/two\nlines/python"'),
    ],
)
def test_autostart_quotes_as_the_desktop_entry_specification_asks(word, written):
    assert exec_line(autostart_text([word, "-m", "rwc_pw"])) == f"{written} -m rwc_pw daemon"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("/home/ann/my voice/python", "'/home/ann/my voice/python'"),
        ("/opt/50%/python", "/opt/50%/python"),
        (r"/opt/back\slash/python", r"'/opt/back\\slash/python'"),
        ("/opt/two\nlines/python", r"'/opt/two\nlines/python'"),
    ],
)
def test_bus_service_quotes_as_a_shell_would(word, written):
    assert exec_line(bus_service_text([word, "-m", "rwc_pw"])) == f"{written} -m rwc_pw daemon"


def test_autostart_entry_is_a_hidden_application_that_gnome_starts_too():
    entry = configparser.RawConfigParser()
    entry.optionxform = str
    entry.read_string(autostart_text(["python"]))
    assert entry["Desktop Entry"]["Type"] == "Application"
    assert entry["Desktop Entry"]["NoDisplay"] == "true"
    assert entry["Desktop Entry"]["X-GNOME-Autostart-enabled"] == "true"


@pytest.mark.needs("desktop-file-validate")
def test_autostart_entry_is_valid(tmp_path):
    entry = tmp_path / "voice.desktop"
    entry.write_text(autostart_text([ODD_WORD]))
    assert subprocess.check_output(["desktop-file-validate", entry], text=True, stderr=subprocess.STDOUT) == ""


@pytest.mark.needs("dbus-run-session")
def test_the_session_bus_starts_exactly_the_launcher(tmp_path):
    """dbus-daemon's own reading of the file is the judge of our quoting."""
    folder = tmp_path / r"""it's "50%" of $HOME \ `here`"""
    folder.mkdir()
    program = folder / "voice"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\nexit 7\n')
    program.chmod(0o755)
    services = tmp_path / "data/dbus-1/services"
    services.mkdir(parents=True)
    (services / "voice.service").write_text(bus_service_text([str(program), "two words", r"\$"]))
    activate = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]
    activate += ["org.freedesktop.DBus.StartServiceByName", "string:io.github.rwcpw.Voice", "uint32:0"]
    environment = {"PATH": "/usr/bin:/bin", "XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path)}
    answer = subprocess.run(
        ["dbus-run-session", "--", *activate],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "exited with status 7" in answer.stderr
    assert (tmp_path / "arguments").read_text().splitlines() == ["two words", r"\$", "daemon"]


def test_the_launcher_runs_this_program_whatever_lies_in_the_folder_it_is_started_in(tmp_path):
    (tmp_path / "rwc_pw.py").write_text("print('somebody else')")
    program, *arguments = launcher.command()
    assert program == sys.executable
    assert arguments[-2:] == ["-m", "rwc_pw"]
    find = "import importlib.util as u; print(u.find_spec('rwc_pw').origin)"
    found = subprocess.check_output([program, *arguments[:-2], "-c", find], cwd=tmp_path, env={}, text=True)
    assert str(tmp_path) not in found

"""Where the session bus is looked for."""

import socket

import pytest

from rwc_pw.control import bus


@pytest.fixture
def runtime_dir(tmp_path, monkeypatch):
    folder = tmp_path / "run ~1"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(folder)
        listener.bind("bus")
        yield folder


@pytest.mark.parametrize("address", [None, ""])
def test_without_an_address_it_is_where_libdbus_finds_it(runtime_dir, monkeypatch, address):
    if address is not None:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    quoted = str(runtime_dir).replace(" ", "%20").replace("~", "%7E")
    assert bus._address() == f"unix:path={quoted}/bus"


@pytest.mark.usefixtures("runtime_dir")
def test_an_address_that_is_given_holds(monkeypatch):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/elsewhere")
    assert bus._address() is None


def test_a_file_there_is_no_bus(runtime_dir):
    (runtime_dir / "bus").unlink()
    (runtime_dir / "bus").touch()
    assert bus._address() is None

import os
from pathlib import Path

import pytest

from rwc_pw.desktop.dropin import dropin_text
from rwc_pw.desktop.registration import register, unregister
from rwc_pw.errors import RwcPwError
from rwc_pw.system.paths import Paths

LAUNCHER = ["/opt/rwc/python", "-m", "rwc_pw"]


@pytest.fixture
def paths(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Paths.from_environment({"HOME": str(home)})


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def home_of(paths: Paths) -> Path:
    return paths.config_home.parent


def test_register_writes_the_three_files_and_nothing_else(paths):
    assert register(paths, LAUNCHER) == [paths.drop_in, paths.autostart_entry, paths.bus_service]
    written = contents(home_of(paths))
    assert set(written) == {
        ".config/pipewire/pipewire.conf.d/50-rwc-voice.conf",
        ".config/autostart/io.github.rwcpw.Voice.desktop",
        ".local/share/dbus-1/services/io.github.rwcpw.Voice.service",
    }
    assert paths.drop_in.read_text() == dropin_text()
    assert "Exec=/opt/rwc/python -m rwc_pw daemon\n" in paths.autostart_entry.read_text()
    assert "Exec=/opt/rwc/python -m rwc_pw daemon\n" in paths.bus_service.read_text()


def test_a_second_register_touches_nothing(paths):
    register(paths, LAUNCHER)
    before = paths.drop_in.stat()
    assert register(paths, LAUNCHER) == []
    assert paths.drop_in.stat() == before


def test_another_launcher_rewrites_only_the_files_that_name_it(paths):
    register(paths, LAUNCHER)
    assert register(paths, ["/new/python"]) == [paths.autostart_entry, paths.bus_service]
    assert "/opt/rwc" not in paths.autostart_entry.read_text() + paths.bus_service.read_text()


def test_a_reader_never_sees_half_a_file(paths):
    register(paths, LAUNCHER)
    with paths.bus_service.open() as old:
        register(paths, ["/new/python"])
        assert "/opt/rwc/python" in old.read()


def test_files_are_readable_and_new_folders_private(paths):
    register(paths, LAUNCHER)
    assert paths.drop_in.stat().st_mode & 0o777 == 0o644
    assert {folder.stat().st_mode & 0o777 for folder in (paths.config_home, paths.drop_in.parent)} == {0o700}


def test_unregister_removes_our_files_and_the_folders_they_leave_empty(paths):
    register(paths, LAUNCHER)
    assert unregister(paths) == [paths.drop_in, paths.autostart_entry, paths.bus_service]
    assert list(paths.config_home.iterdir()) == []
    assert list(paths.data_home.iterdir()) == []
    assert unregister(paths) == []


def test_unregister_keeps_what_is_not_ours(paths):
    kept = [paths.drop_in.with_name("10-mine.conf"), paths.autostart_entry.with_name("mine.desktop"), paths.config_file]
    for file in kept:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    register(paths, LAUNCHER)
    unregister(paths)
    assert set(contents(home_of(paths)).values()) == {"mine"}
    assert all(file.exists() for file in kept)


def test_unregister_without_registration_leaves_empty_folders_alone(paths):
    paths.autostart_entry.parent.mkdir(parents=True)
    assert unregister(paths) == []
    assert paths.autostart_entry.parent.is_dir()


def test_a_full_disk_leaves_the_old_file_and_no_crumbs(paths, monkeypatch):
    register(paths, LAUNCHER)
    before = contents(home_of(paths))

    def full(_descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RwcPwError, match="No space left on device") as caught:
        register(paths, ["/new/python"])
    assert str(paths.autostart_entry) in caught.value.message
    assert str(paths.autostart_entry.parent) in caught.value.remedy
    assert contents(home_of(paths)) == before


def test_a_folder_that_cannot_be_made_is_said_so(paths):
    paths.config_home.write_text("a file where the folder should be")
    with pytest.raises(RwcPwError, match=r"Cannot write .*50-rwc-voice\.conf"):
        register(paths, LAUNCHER)
    with pytest.raises(RwcPwError, match=r"Cannot remove .*50-rwc-voice\.conf"):
        unregister(paths)

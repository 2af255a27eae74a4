"""install.sh up to the moment it would change the machine: every package manager here only takes notes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "install.sh"
NEEDED_PROGRAMS = ("bash", "cat", "dirname", "env", "mktemp", "rm", "sort", "tail", "tr")
EXIT_USAGE, EXIT_UNAVAILABLE = 2, 69
LINES = {
    "apt-get": "apt-get install -y --no-install-recommends dbus pipewire pipewire-bin pipewire-pulse wireplumber",
    "dnf": "dnf install -y dbus-daemon pipewire pipewire-pulseaudio pipewire-utils pulseaudio-libs wireplumber",
    "pacman": "pacman -S --needed --noconfirm dbus pipewire pipewire-audio pipewire-pulse wireplumber",
}


class Machine:
    """A computer with bash, a few of coreutils, and the programs one adds."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.programs = folder / "bin"
        self.notes = folder / "notes"
        self.home.mkdir()
        self.programs.mkdir()
        for name in NEEDED_PROGRAMS:
            (self.programs / name).symlink_to(shutil.which(name))
        self.add("sudo", 'exec "$@"')

    def add(self, name, script):
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def add_package_manager(self, name):
        """One that writes down how it is called, and fails."""
        self.add(name, f'echo "{name} $*" >> "{self.notes}"; echo "no such package" >&2; exit 1')

    def install(self, *arguments):
        return subprocess.run(
            [self.programs / "bash", INSTALL, *arguments],
            env={"PATH": str(self.programs), "HOME": str(self.home)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    machine.add("python3", "exit 127")  # what pyenv leaves of a Python that is gone
    machine.add("python3.11", f'exec "{sys.executable}" "$@"')
    return machine


@pytest.mark.parametrize("arguments", [["--nope"], [""], ["--help", "more"], ["tests", "--test"]])
def test_what_is_not_understood_changes_nothing(machine, arguments):
    machine.add_package_manager("apt-get")
    answer = machine.install(*arguments)
    assert answer.returncode == EXIT_USAGE
    assert "--help" in answer.stderr
    assert not machine.notes.exists()


def test_help_names_both_commands(machine):
    answer = machine.install("--help")
    assert answer.returncode == 0
    assert "./install.sh --test" in answer.stdout


@pytest.mark.parametrize("manager", LINES)
def test_each_package_manager_gets_its_own_names_of_what_is_missing(machine, manager):
    machine.add_package_manager(manager)
    machine.install()
    assert machine.notes.read_text().startswith(LINES[manager])


@pytest.mark.parametrize("manager", LINES)
def test_a_refused_installation_ends_with_the_line_to_run(machine, manager):
    machine.add_package_manager(manager)
    answer = machine.install()
    assert answer.returncode == EXIT_UNAVAILABLE
    assert "no such package" in answer.stderr
    assert answer.stderr.splitlines()[-1].strip() == LINES[manager]
    assert list(machine.home.iterdir()) == []


def test_outdated_package_lists_are_fetched_and_the_line_tried_again(machine):
    machine.add_package_manager("apt-get")
    machine.install()
    assert [call.split()[1] for call in machine.notes.read_text().splitlines()] == ["install", "update", "install"]


def test_an_unknown_system_is_told_what_is_missing(machine):
    answer = machine.install()
    assert answer.returncode == EXIT_UNAVAILABLE
    assert "pw-cat" in answer.stderr
    assert answer.stderr.splitlines()[-1].strip() == LINES["apt-get"]


def test_only_what_is_missing_is_asked_for(machine):
    for name in ("pipewire", "pipewire-pulse", "wireplumber", "pw-cat", "pw-cli", "pw-dump", "pw-link"):
        machine.add(name, "")
    assert machine.install().stderr.endswith("apt-get install -y --no-install-recommends dbus\n")

"""install.sh up to the moment it would change the machine: every package manager here only takes notes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

INSTALL = Path(__file__).parents[1] / "install.sh"
NEEDED_PROGRAMS = ("awk", "bash", "cat", "dirname", "env", "mkdir", "mktemp", "mv", "rm", "sort", "tail", "tr")
EXIT_USAGE, EXIT_UNAVAILABLE = 2, 69
RUN_PROGRAMS = ("pipewire", "pipewire-pulse", "wireplumber", "pw-cat", "pw-cli", "pw-dump", "pw-link", "dbus-daemon")
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
        self.add("sudo", '[ "$1" = -n ] || exec "$@"')

    def add(self, name, script):
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def add_package_manager(self, name):
        """One that writes down how it is called, and fails."""
        self.add(name, f'echo "{name} $*" >> "{self.notes}"; echo "no such package" >&2; exit 1')

    def add_python(self, name, version):
        """One that says it is this version, and writes down what else it is asked for, of which pip alone succeeds."""
        self.add(
            name,
            f"""case "$1 $2 $3" in
    "-I -c import sys, "*) exec "{sys.executable}" -I -c "import sys; sys.version_info = {version}
$3" ;;
    *) echo "{name} $*${{PYTHONPATH+ with PYTHONPATH}}" >> "{self.notes}"; [ "$1 $2 $3" = "-I -m pip" ] ;;
esac""",
        )

    def add_venv(self, version, has_rvc):
        """The environment of an earlier installation; its Python writes down what it is asked for."""
        venv = self.home / ".local/share/rwc-pw/venv"
        (venv / "bin").mkdir(parents=True)
        self.add_python("venv's", version)
        (self.programs / "venv's").rename(venv / "bin/python")
        if has_rvc:
            (venv / "lib/python3.12/site-packages/ultimate_rvc").mkdir(parents=True)
        return venv

    def add_what_runs_it(self):
        for name in RUN_PROGRAMS:
            self.add(name, "")

    def install(self, *arguments, cwd="/", **environment):
        return subprocess.run(
            [self.programs / "bash", INSTALL, *arguments],
            env={"PATH": str(self.programs), "HOME": str(self.home), **environment},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    machine.add("python3", "exit 127")  # what pyenv leaves of a Python that is gone
    machine.add("python3.11", f'exec "{sys.executable}" "$@"')
    return machine


@pytest.mark.parametrize("arguments", [["--nope"], [""], ["--help", "more"], ["tests", "--test"], ["--rvc", "--test"]])
def test_what_is_not_understood_changes_nothing(machine, arguments):
    machine.add_package_manager("apt-get")
    answer = machine.install(*arguments)
    assert answer.returncode == EXIT_USAGE
    assert "--help" in answer.stderr
    assert not machine.notes.exists()


def test_help_names_each_command(machine):
    answer = machine.install("--help")
    assert answer.returncode == 0
    assert "./install.sh --test" in answer.stdout
    assert "./install.sh --rvc" in answer.stdout


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
    machine.add_what_runs_it()
    (machine.programs / "dbus-daemon").unlink()
    assert machine.install().stderr.endswith("apt-get install -y --no-install-recommends dbus\n")


def system_python_fits():
    """/usr/bin/python3 is tried wherever PATH leads."""
    question = "import sys, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 14))"
    python = Path("/usr/bin/python3")
    return python.exists() and subprocess.run([python, "-c", question], stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(system_python_fits(), reason="The system's own Python serves RVC voices.")
@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_without_a_python_for_rvc_nothing_is_changed_and_it_is_said(machine, version):
    machine.add_package_manager("apt-get")
    machine.add_python("python3.11", version)
    answer = machine.install("--rvc")
    assert answer.returncode == EXIT_UNAVAILABLE
    assert "Python 3.12 or 3.13" in answer.stderr.splitlines()[0]
    assert "./install.sh --rvc" in answer.stderr.splitlines()[1]
    assert not machine.notes.exists()
    assert list(machine.home.iterdir()) == []


@pytest.mark.parametrize("is_named", [False, True], ids=["the current folder", "PYTHONPATH"])
def test_no_module_that_lies_about_is_run(machine, tmp_path, is_named):
    """Each Python here is real, up to pip's installation of uv, which fails without network."""
    canary, about = tmp_path / "canary", tmp_path / "about"
    about.mkdir()
    for name in ("venv", "pip", "ensurepip", "socket", "ast", "subprocess", "rwc_pw", "sitecustomize", "encodings"):
        (about / f"{name}.py").write_text(f"open({str(canary)!r}, 'a').write('{name} ')\nraise ImportError\n")
    machine.add_what_runs_it()
    answer = machine.install(
        cwd=about, PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null", **({"PYTHONPATH": str(about)} if is_named else {})
    )
    assert not canary.exists(), canary.read_text()
    assert "The Python packages could not be installed" in answer.stderr


def test_every_python_is_told_to_run_nothing_that_lies_about():
    """Also the calls after pip's, which would need a network."""
    lines = [line.strip() for line in INSTALL.read_text().splitlines()]
    calls = [line for line in lines if re.search(r'(python|candidate|"\$1)"|sys\.executable', line.partition(" #")[0])]
    calls = [line for line in calls if re.search(r'" (- |-c |-m |-I |-P )|executable', line)]
    assert len(calls) == 9
    assert [line for line in calls if "-I" not in line] == []


def test_what_a_python_starts_knows_no_other_modules_either(machine):
    machine.add_what_runs_it()
    machine.add_venv((3, 14), has_rvc=False)
    machine.install(PYTHONPATH="/elsewhere")
    assert "uv pip install" in machine.notes.read_text()
    assert "with PYTHONPATH" not in machine.notes.read_text()


def test_rvc_needs_ffmpeg_too(machine):
    machine.add_package_manager("apt-get")
    machine.add_python("python3.12", (3, 12))
    machine.add_what_runs_it()
    answer = machine.install("--rvc")
    assert answer.stderr.endswith("apt-get install -y --no-install-recommends ffmpeg\n")
    assert "then ./install.sh --rvc again" in answer.stderr


@pytest.mark.parametrize("arguments", [(), ("--rvc",)])
def test_rvc_takes_the_python_that_fits_though_an_older_one_comes_first(machine, arguments):
    machine.add_what_runs_it()
    machine.add("ffmpeg", "")
    machine.add("ffprobe", "")
    machine.add("python3.13", "exit 127")
    machine.add_python("python3", (3, 11))
    machine.add_python("python3.12", (3, 12))
    machine.install(*arguments)
    python = "python3.12" if arguments else "python3"
    assert machine.notes.read_text() == f"{python} -I -m venv {machine.home}/.local/share/rwc-pw/venv\n"


def test_a_python_of_pyenv_serves_where_none_is_on_path(machine):
    machine.add_what_runs_it()
    machine.add("ffmpeg", "")
    machine.add("ffprobe", "")
    machine.add_python("python3.11", (3, 11))
    machine.add_python("pyenv's", (3, 13))
    python = machine.home / ".pyenv/versions/3.13.0/bin/python"
    python.parent.mkdir(parents=True)
    (machine.programs / "pyenv's").rename(python)
    machine.install("--rvc")
    assert machine.notes.read_text().startswith("pyenv's -I -m venv ")


@pytest.mark.parametrize("has_rvc", [False, True])
def test_an_upgrade_keeps_the_extra_and_adds_none(machine, has_rvc):
    machine.add_what_runs_it()
    machine.add("ffmpeg", "")
    machine.add("ffprobe", "")
    machine.add_python("python3", (3, 14))
    machine.add_venv((3, 12), has_rvc)
    machine.install()
    with_pip, with_uv = machine.notes.read_text().splitlines()
    assert "--require-hashes" in with_pip
    assert f"--constraints {INSTALL.parent}/requirements.lock" in with_uv
    requirement = f"{INSTALL.parent}[rvc]" if has_rvc else str(INSTALL.parent)
    assert f" {requirement} " in with_uv


def test_an_upgrade_keeps_the_extra_also_where_the_python_of_its_environment_is_gone(machine):
    machine.add_what_runs_it()
    machine.add("ffmpeg", "")
    machine.add("ffprobe", "")
    machine.add_python("python3", (3, 14))  # would do without the extra
    machine.add_python("python3.12", (3, 12))
    venv = machine.add_venv((3, 10), has_rvc=True)
    machine.install()
    assert machine.notes.read_text() == f"python3.12 -I -m venv {venv}\n"


def test_an_environment_whose_python_is_too_old_for_rvc_is_made_anew_and_comes_back_where_that_fails(machine):
    machine.add_what_runs_it()
    machine.add("ffmpeg", "")
    machine.add("ffprobe", "")
    machine.add_python("python3.12", (3, 12))
    venv = machine.add_venv((3, 11), has_rvc=False)
    assert machine.install("--rvc").returncode == EXIT_UNAVAILABLE
    assert machine.notes.read_text() == f"python3.12 -I -m venv {venv}\n"
    assert (venv / "bin/python").exists()
    assert list(venv.parent.iterdir()) == [venv]

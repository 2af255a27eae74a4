"""Imports run one way; what is slow to load is loaded by whoever uses it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rwc_pw

ROOT = Path(rwc_pw.__file__).parent
MODULES = {
    ".".join(("rwc_pw", *path.relative_to(ROOT).with_suffix("").parts)): ast.parse(path.read_text())
    for path in sorted(ROOT.rglob("*.py"))
}
LAYERS = (  # each room imports from itself and from the rooms in the lines above it
    {"errors", "names", "status", "audio"},
    {"system"},
    {"channels", "voices", "desktop", "control"},
    {"rvc"},
    {"conversion"},
    {"streaming", "config"},
    {"pipewire"},
    {"engine", "headless"},
    {"daemon", "doctor", "bench", "voice_converter"},
    {"pictures"},
    {"demo"},
    {"cli"},
)
ROOMS = {name: set[str]().union(*LAYERS[:above]) for above, layer in enumerate(LAYERS) for name in layer}
ROOMS["control"] = {"status", "errors", "names"}  # a client of the daemon needs nothing but the bus
COMMAND_LINE = {module for module in MODULES if module.startswith("rwc_pw.cli.")}
PW_TOOLS = ("pw-cat", "pw-cli", "pw-dump", "pw-link", "pw-metadata")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load_module":
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


def importers(package: str) -> set[str]:
    return {name for name, tree in MODULES.items() for found in imported(tree) if f"{found}.".startswith(f"{package}.")}


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_imports_run_one_way(name):
    inside = [tree for module, tree in MODULES.items() if room(module) == name]
    found = {room(target) for tree in inside for target in imported(tree) if target.startswith("rwc_pw.")}
    assert found - {name, "__version__"} <= ROOMS[name]


def test_all_rooms_have_their_limits():
    assert {room(module) for module in MODULES} - {"__init__", "__main__"} == set(ROOMS)


def test_a_test_is_in_the_room_that_it_tests():
    tests = Path(__file__).parent
    assert {path.parent.name for path in tests.glob("*/test_*.py")} - {"servers"} <= set(ROOMS)


def test_nothing_but_the_command_line_knows_it_or_the_daemon():
    assert importers("rwc_pw.cli") <= {"rwc_pw.__main__", *COMMAND_LINE}
    assert importers("rwc_pw.daemon") == {"rwc_pw.cli.microphone"}


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("dbus_next", "control"),
        ("pulsectl", "pipewire"),
        ("typer", "cli"),
        ("rich", "cli"),
        ("matplotlib", "pictures"),
        ("stftpitchshift", "conversion"),
        ("ultimate_rvc", "rvc"),
        ("openvino", "rvc"),
        ("swift_f0", "rvc"),
        ("torch", "rvc"),
    ],
)
def test_a_library_is_known_in_one_room(package, home):
    assert {room(module) for module in importers(package)} == {home}


def test_only_a_gpu_and_ultimate_rvc_need_torch():
    gpu, ultimate_rvc = (
        {"gpu", "gpu_voice", "torch_networks", "network.torch_operations"},
        {"checkpoint_writer", "measure", "worker"},
    )
    assert importers("torch") <= {f"rwc_pw.rvc.{name}" for name in gpu | ultimate_rvc}


def test_only_the_command_line_prints():
    def prints(tree: ast.AST) -> bool:
        names = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        return any(isinstance(name, ast.Name) and name.id == "print" for name in names)

    assert {module for module, tree in MODULES.items() if prints(tree)} <= COMMAND_LINE


def test_only_pipewire_the_private_one_and_the_doctor_know_its_tools():
    def names_a_tool(tree: ast.AST) -> bool:
        return any(isinstance(node, ast.Constant) and node.value in PW_TOOLS for node in ast.walk(tree))

    assert {room(module) for module, tree in MODULES.items() if names_a_tool(tree)} == {
        "pipewire",
        "headless",
        "doctor",
    }


def test_the_command_line_answers_at_once():
    program = "import sys, rwc_pw.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    slow = {"numpy", "dbus_next", "pulsectl", "matplotlib", "rich.live", "soundfile", "tomlkit", "torch", "openvino"}
    loaded = set(done.stdout.split())
    assert "rwc_pw.cli.main" in loaded
    assert loaded & slow == set()

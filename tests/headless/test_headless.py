import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.headless.recording import pw_cat_of
from rwc_pw.headless.servers import SERVERS
from rwc_pw.headless.session import MICROPHONE, SPEAKERS, HeadlessPipeWire
from tests.patience import PATIENCE_S, wait_for_end
from tests.servers.session import processes, traces

SOURCE = "default.audio.source"


def default_nodes(headless: HeadlessPipeWire) -> dict[str, str]:
    lines = [line.split(": ", 1) for line in headless.run("pactl", "info").splitlines() if ": " in line]
    return {key: value for key, value in lines if key in ("Default Sink", "Default Source")}


def test_both_interfaces_answer_and_the_fakes_are_the_defaults(headless):
    assert default_nodes(headless) == {"Default Sink": SPEAKERS, "Default Source": MICROPHONE}


def test_no_device_of_the_machine_is_there(headless):
    assert "type PipeWire:Interface:Device" not in headless.run("pw-cli", "ls", "Device")
    sources = headless.run("pactl", "list", "short", "sources").splitlines()
    assert {line.split()[1] for line in sources} == {MICROPHONE, f"{SPEAKERS}.monitor"}


def test_without_a_microphone_there_is_none(start_headless):
    headless = start_headless(microphone=False)
    assert MICROPHONE not in headless.run("pw-cli", "ls", "Node")


@pytest.mark.parametrize("quantum", [128, 480, 1024])
def test_the_graph_runs_at_the_quantum_whatever_a_client_asks(start_headless, quantum):
    headless = start_headless(quantum=quantum)
    assert writes_of_a_recorder(headless, latency=64) == {quantum}
    assert writes_of_a_recorder(headless, latency=4096) == {quantum}


def writes_of_a_recorder(headless: HeadlessPipeWire, *, latency: int) -> set[int]:
    """How many samples an unbuffered recorder writes at a time: those of one cycle of the graph."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # which keeps one write apart from the next
    argv = (
        "stdbuf",
        "-o0",
        "pw-cat",
        "--record",
        *pw_cat_of(headless).raw_flag,
        "--latency",
        str(latency),
        "--rate",
        "48000",
    )
    argv += ("--channels", "1", "--format", "f32", "-")
    with ours, its, subprocess.Popen(argv, env=headless.environment, stdout=its.fileno()) as recorder:
        ours.settimeout(PATIENCE_S)
        sizes = {len(ours.recv(1 << 20)) for _ in range(12)}
        recorder.kill()
    return {size // 4 for size in sizes}


def test_a_microphone_comes_and_goes_and_can_be_the_default(headless):
    headless.add_microphone("second")
    headless.set_default_source("second")
    assert default_nodes(headless)["Default Source"] == "second"
    headless.remove_node("second")
    headless.wait_for_default(SOURCE, MICROPHONE)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_was_killed_is_there_again_after_a_restart(headless, name):
    headless.kill(name)
    assert name not in {command.split()[0] for _, command in processes(headless.root)}
    headless.restart(name)
    headless.wait_for_default(SOURCE, MICROPHONE)
    assert default_nodes(headless) == {"Default Sink": SPEAKERS, "Default Source": MICROPHONE}


def test_a_client_that_comes_while_pipewire_is_dead_waits_for_it(headless):
    headless.kill("pipewire")
    with subprocess.Popen(("pw-cli", "info", "0"), env=headless.environment, stdout=subprocess.PIPE) as client:
        headless.restart("pipewire")
        assert b"PipeWire:Interface:Core" in client.communicate(timeout=PATIENCE_S)[0]


def test_what_never_comes_is_an_error_at_the_deadline(headless):
    begun = time.monotonic()
    with pytest.raises(RwcPwError, match=r"did not come to the expected state within 0\.3 s"):
        headless.wait_for(lambda graph: graph.named("nobody"), timeout_s=0.3)
    with pytest.raises(RwcPwError, match="nobody did not become"):
        headless.wait_for_default(SOURCE, "nobody", timeout_s=0.3)
    assert time.monotonic() - begun >= 0.6


def test_a_server_that_ended_by_itself_is_named_with_its_log(headless):
    wireplumber = headless.pid_of("wireplumber")
    descriptor = os.pidfd_open(wireplumber)
    os.kill(wireplumber, signal.SIGKILL)
    wait_for_end(descriptor)
    with pytest.raises(RwcPwError, match=rf" wireplumber ended with -9: see {headless.root}/wireplumber\.log\.$"):
        headless.wait_for(lambda graph: graph.named("nobody"), timeout_s=0.3)


def test_a_tool_that_fails_says_why(headless):
    with pytest.raises(RwcPwError, match="pw-link nobody:a nobody:b ended with"):
        headless.run("pw-link", "nobody:a", "nobody:b")


def test_nothing_of_the_users_session_is_in_the_environment(monkeypatch, tmp_path):
    for name in ("PULSE_SERVER", "PIPEWIRE_REMOTE", "WAYLAND_DISPLAY", "DISPLAY", "XDG_SESSION_ID", "LISTEN_FDS"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/0/bus")
    monkeypatch.setenv("HOME", "/home/user")
    environment = HeadlessPipeWire(tmp_path).environment
    assert "the user's" not in environment.values()
    paths = {name: value for name, value in environment.items() if name.startswith(("XDG_", "HOME", "DBUS_"))}
    assert {
        name for name, value in paths.items() if not value.removeprefix("unix:path=").startswith(str(tmp_path))
    } == set()
    assert len(paths) == 7


def test_a_missing_program_is_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="wireplumber") as caught:
        HeadlessPipeWire(tmp_path).start()
    assert caught.value.remedy.startswith("Install ")
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(RwcPwError, match="too long"):
        HeadlessPipeWire(tmp_path / ("x" * 100)).start()
    assert traces(tmp_path) == []


@pytest.mark.usefixtures("headless")  # it skips where there are no servers
def test_the_servers_die_with_their_parent(tmp_path_factory):
    root = tmp_path_factory.mktemp("orphans")
    program = (
        "import sys; from pathlib import Path; from rwc_pw.headless.session import HeadlessPipeWire;"
        "headless = HeadlessPipeWire(Path(sys.argv[1])); headless.start();"
        "print(*(server.pid for server in headless._servers.processes.values()), flush=True); sys.stdin.read()"
    )
    argv = (sys.executable, "-c", program, str(root))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        descriptors = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(descriptors) == len(SERVERS)
        parent.send_signal(signal.SIGKILL)
    for descriptor in descriptors:
        wait_for_end(descriptor)
    assert list(processes(root)) == []


def test_a_test_that_forgets_the_environment_reaches_nobody(headless):
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(("pactl", "info"), check=True, capture_output=True)
    assert subprocess.run(("pw-cli", "info", "0"), check=False, capture_output=True).stdout == b""
    assert not os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "PIPEWIRE_REMOTE"}
    assert headless.environment["XDG_RUNTIME_DIR"] != os.environ["XDG_RUNTIME_DIR"]

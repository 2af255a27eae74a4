"""A private PipeWire, WirePlumber, pipewire-pulse and session bus, without the machine's devices or user's sound."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self, TypeVar

from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.headless.conf import (
    DIRECTORIES,
    MICROPHONE,
    SPEAKERS,
    configuration,
    microphone_arguments,
    private_environment,
    speakers_arguments,
)
from rwc_pw.pipewire.argv import GRAPH, dies_with, suspend
from rwc_pw.pipewire.graph import Graph, GraphReader

SERVERS = ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse")  # in starting order
TOOLS = ("pw-dump", "pw-cli", "pw-cat", "pw-link", "pw-metadata", "setpriv")
SOCKETS = {"pipewire": "run/pipewire-0", "pipewire-pulse": "run/pulse/native"}
LONGEST_SOCKET_PATH = 107  # sun_path of unix(7)
# As with systemd: clients can connect at once, and wait in the queue of a server that is not up yet.
SOCKET_ACTIVATION = ("sh", "-c", 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh")
STOP_DEADLINE_S = 10.0
DEADLINE_S = 60.0  # far more than anything awaited takes: only what fails waits so long
FIRST_PATIENCE_S = 0.05

Found = TypeVar("Found")


class HeadlessPipeWire:
    """A whole PipeWire session under ``root``, at one fixed ``quantum``, with a fake microphone and fake speakers.

    Start it from a thread that outlives it: the servers die with the thread that starts them.
    """

    def __init__(self, root: Path, *, quantum: int = 256, microphone: bool = True) -> None:
        self.root = root.absolute()
        self.environment = private_environment(self.root)
        self._devices = {MICROPHONE: microphone_arguments(MICROPHONE, "Headless microphone")} if microphone else {}
        self._devices[SPEAKERS] = speakers_arguments()
        self._configuration = configuration(self.root, quantum=quantum, devices=self._devices.values())
        self._defaults = {"default.audio.source": MICROPHONE} if microphone else {}
        self._defaults["default.audio.sink"] = SPEAKERS
        self._sockets: dict[str, socket.socket] = {}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; on return, the default source and sink are set, and every socket accepts connections."""
        if missing := [name for name in SERVERS + TOOLS if shutil.which(name) is None]:
            raise UnavailableError(
                f"A private PipeWire needs missing programs: {', '.join(missing)}.",
                "Install PipeWire with its tools, pipewire-pulse, WirePlumber, dbus-daemon and util-linux.",
            )
        try:
            self._prepare()
            for name, path in SOCKETS.items():
                self._sockets[name] = _listening(self.root / path)
            self._spawn("dbus-daemon")
            self._spawn("pipewire")
            self._start_session_manager()
            self._spawn("pipewire-pulse")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything in reverse order, leaving no process and no socket."""
        for name in reversed(SERVERS):
            self._end(name)
        for listener in self._sockets.values():
            listener.close()
        self._sockets.clear()
        shutil.rmtree(self.root / "run", ignore_errors=True)

    def run(self, *argv: str) -> str:
        """Run a program in this session; return its standard output."""
        try:
            done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=DEADLINE_S)
        except FileNotFoundError as error:
            raise UnavailableError(f"{argv[0]} is not installed.", f"Install {argv[0]}.") from error
        except subprocess.TimeoutExpired as error:
            raise RwcPwError(f"{' '.join(argv)} did not end within {DEADLINE_S:g} s.") from error
        if done.returncode:
            raise RwcPwError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def kill(self, name: str) -> None:
        """SIGKILL one server, to simulate a crash, and reap it. Its socket keeps accepting, as systemd's would."""
        server = self._servers.pop(name)
        server.kill()
        server.wait()

    def restart(self, name: str) -> None:
        """Restart a server, killed or not; with pipewire also the session manager, as systemd's BindsTo= does.

        With the session manager, microphone and speakers are created again: in a real session, it owns the devices.
        """
        for bound in ("wireplumber", name) if name == "pipewire" else (name,):
            self._end(bound)
        if name != "wireplumber":
            self._spawn(name)
        else:
            for device, arguments in self._devices.items():
                self.remove_node(device)
                self._create_node(arguments)
        if name in ("pipewire", "wireplumber"):
            self._start_session_manager()

    def add_microphone(
        self, name: str, *, channels: Sequence[str] = ("MONO",), media_class: str = "Audio/Source/Virtual"
    ) -> None:
        """Add another fake microphone with these channels, until it is removed or PipeWire ends."""
        self._create_node(microphone_arguments(name, name, channels, media_class))
        into = "playback" if media_class == "Audio/Duplex" else "input"
        ports = [f"{name}:{end}_{channel}" for end in (into, "capture") for channel in channels]
        self.wait_for(lambda graph: all(map(graph.port, ports)))

    def _create_node(self, arguments: str) -> None:
        self.run("pw-cli", "create-node", "adapter", " ".join(arguments.split()))

    def remove_node(self, name: str) -> None:
        """Destroy a node, as unplugging it would.

        It is suspended before, if it is idle: WirePlumber 0.4 crashes if it goes while that is about to happen.
        """
        [node] = self.wait_for(lambda graph: graph.named(name))
        if node.state == "idle":
            self.run(*suspend(node.id))
            self.wait_for(lambda graph: node.id not in graph.nodes or graph.nodes[node.id].state != "idle")
        self.run("pw-cli", "destroy", str(node.id))
        self.wait_for(lambda graph: not graph.named(name))

    def set_default_source(self, name: str) -> None:
        """Make an existing source the user's choice of microphone."""
        value = json.dumps({"name": name})
        self.run("pw-metadata", "0", "default.configured.audio.source", value, "Spa:String:JSON")
        self.wait_for_default("default.audio.source", name)

    def wait_for(self, find: Callable[[Graph], Found | None], *, timeout_s: float = DEADLINE_S) -> Found:
        """The first true result of ``find``, which is called whenever something in the graph comes, changes or goes.

        Not for metadata entries: before PipeWire 1.0, pw-dump reports those only along with a later change.
        """
        reader = GraphReader()
        with closing(self._lines((*GRAPH, "--monitor"), timeout_s)) as lines:
            for line in lines:
                if (graph := reader.feed(line.decode())) and (found := find(graph)):
                    return found
        raise RwcPwError(f"PipeWire did not come to the expected state within {timeout_s:g} s.{self._obituary()}")

    def wait_for_default(self, key: str, name: str, *, timeout_s: float = DEADLINE_S) -> None:
        """Wait until the session manager has made a node the default under ``key``, such as default.audio.source."""
        # A change that comes while another client binds the metadata is never reported to us, but a new binding gets
        # everything (module-metadata/metadata.c, 0.3.65 to 1.4.2): hence repeated bindings, with growing patience.
        patience_s, left_s = FIRST_PATIENCE_S, timeout_s
        while left_s > 0:
            monitor = ("pw-metadata", "--monitor", "0", key)
            with closing(self._lines(monitor, min(patience_s, left_s))) as lines:
                if any(_metadata_name(line) == name for line in lines):
                    return
            left_s -= patience_s
            patience_s *= 2
        raise RwcPwError(f"{name} did not become {key} within {timeout_s:g} s.{self._obituary()}")

    def _lines(self, argv: Sequence[str], timeout_s: float) -> Generator[bytes, None, None]:
        """A monitoring tool's output, line by line as it comes, until the deadline or the tool's end."""
        deadline = time.monotonic() + timeout_s
        text = b""
        with subprocess.Popen(argv, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
            assert tool.stdout is not None  # noqa: S101 - for mypy: it is a pipe
            try:
                while select.select([tool.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    if not (read := os.read(tool.stdout.fileno(), 1 << 16)):
                        return
                    *lines, text = (text + read).split(b"\n")
                    yield from lines
            finally:
                tool.kill()

    def _prepare(self) -> None:
        for name in DIRECTORIES.values():
            (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in self._configuration.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _start_session_manager(self) -> None:
        """Start WirePlumber and wait until it has chosen the default nodes."""
        server = self._spawn("wireplumber")
        self.wait_for(lambda graph: server.pid in graph.client_pids)
        with closing(self._lines(("pw-metadata", "--monitor"), timeout_s=DEADLINE_S)) as lines:
            next(lines, None)  # 'Found "default" metadata'
        for key, name in self._defaults.items():
            self.wait_for_default(key, name)

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        argv = [*dies_with(os.getpid()), *(SOCKET_ACTIVATION if name in self._sockets else ()), name]
        if name == "dbus-daemon":
            argv += ["--nofork", "--nopidfile", "--print-address", f"--config-file={self.root}/bus.conf"]
        with (self.root / f"{name}.log").open("ab") as log:
            self._servers[name] = server = subprocess.Popen(
                argv,
                env=self.environment,
                stdin=self._sockets[name].fileno() if name in self._sockets else subprocess.DEVNULL,
                stdout=subprocess.PIPE if name == "dbus-daemon" else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only us; we shut them down
            )
        if server.stdout is not None:
            server.stdout.readline()  # the address comes once the bus accepts connections
            server.stdout.close()
        return server

    def _end(self, name: str) -> None:
        if server := self._servers.pop(name, None):
            end(server)

    def _obituary(self) -> str:
        ended = {name: server.returncode for name, server in self._servers.items() if server.poll() is not None}
        return "".join(f" {name} ended with {code}: see {self.root}/{name}.log." for name, code in ended.items())


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it does not obey, and reap it."""
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _metadata_name(line: bytes) -> str | None:
    value = re.search(rb"value:'(.*)' type:", line)
    return str(json.loads(value[1])["name"]) if value else None


def _listening(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise RwcPwError(f"{path} is too long for a socket's path.", "Choose a shorter directory, as one in /tmp.")
    path.parent.mkdir(exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener

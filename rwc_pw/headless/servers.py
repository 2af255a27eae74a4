"""The servers of a private session, and the sockets on which clients reach them."""

import os
import socket
import subprocess
from pathlib import Path

from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire.argv import dies_with

SERVERS = ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse")  # in starting order
SOCKETS = {"pipewire": "run/pipewire-0", "pipewire-pulse": "run/pulse/native"}
LONGEST_SOCKET_PATH = 107  # sun_path of unix(7)
# As with systemd: clients can connect at once, and wait in the queue of a server that is not up yet.
SOCKET_ACTIVATION = ("sh", "-c", 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh")
STOP_DEADLINE_S = 10.0


class Servers:
    """Processes of a private session under ``root``, which die with the thread that starts them."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        """Those that were started and not ended, by name."""
        self.sockets: dict[str, socket.socket] = {}
        """Those that accept connections, by server."""
        self._root = root
        self._environment = environment

    def listen(self) -> None:
        """Open the sockets: from now on, clients can connect."""
        for name, path in SOCKETS.items():
            self.sockets[name] = _listening(self._root / path)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a server, to which clients can connect at once."""
        with (self._root / f"{name}.log").open("ab") as log:
            self.processes[name] = server = subprocess.Popen(
                self._argv(name),
                env=self._environment,
                stdin=self.sockets[name].fileno() if name in self.sockets else subprocess.DEVNULL,
                stdout=subprocess.PIPE if name == "dbus-daemon" else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only us; we shut them down
            )
        if server.stdout is not None:
            server.stdout.readline()  # the address comes once the bus accepts connections
            server.stdout.close()
        return server

    def end(self, name: str) -> None:
        """End a server, if it has been started; its socket keeps accepting."""
        if server := self.processes.pop(name, None):
            end(server)

    def end_all(self) -> None:
        """End every server, in reverse order, and close the sockets."""
        for name in reversed(SERVERS):
            self.end(name)
        for listener in self.sockets.values():
            listener.close()
        self.sockets.clear()

    def obituary(self) -> str:
        """Sentences about the servers that have ended by themselves, each after a space."""
        ended = {name: server.returncode for name, server in self.processes.items() if server.poll() is not None}
        return "".join(f" {name} ended with {code}: see {self._root}/{name}.log." for name, code in ended.items())

    def _argv(self, name: str) -> list[str]:
        argv = [*dies_with(os.getpid()), *(SOCKET_ACTIVATION if name in self.sockets else ()), name]
        if name == "dbus-daemon":
            argv += ["--nofork", "--nopidfile", "--print-address", f"--config-file={self._root}/bus.conf"]
        return argv


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it does not obey, and reap it."""
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listening(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise RwcPwError(f"{path} is too long for a socket's path.", "Choose a shorter directory, as one in /tmp.")
    path.parent.mkdir(exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener

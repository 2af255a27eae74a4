"""A private session in which servers crash, and a look at its processes, sockets and nodes."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rwc_pw.headless.conf import MICROPHONE_PRIORITY, node_arguments
from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.pipewire.argv import create_source, destroy, suspend
from rwc_pw.pipewire.graph import Graph

NODES = ("headless_microphone", "rwc_voice", "rwc_pw.capture", "rwc_pw.playback")


class Session(HeadlessPipeWire):
    """A private session whose servers crash and come back, and whose microphones come and go."""

    def pid_of(self, name: str) -> int:
        """The process of a server that has been started."""
        return self._servers.processes[name].pid

    def take_away(self, name: str) -> None:
        """End a server and close its socket, so that clients are refused."""
        self._servers.sockets[name].close()
        self._servers.end(name)

    def kill(self, name: str) -> None:
        """SIGKILL one server, to simulate a crash, and reap it. Its socket keeps accepting, as systemd's would."""
        server = self._servers.processes.pop(name)
        server.kill()
        server.wait()

    def restart(self, name: str) -> None:
        """Restart a server, killed or not; with pipewire also the session manager, as systemd's BindsTo= does.

        With the session manager, microphone and speakers are created again: in a real session, it owns the devices.
        """
        for bound in ("wireplumber", name) if name == "pipewire" else (name,):
            self._servers.end(bound)
        if name != "wireplumber":
            self._servers.start(name)
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
        self._create_node(
            node_arguments(name, name, media_class=media_class, channels=channels, priority=MICROPHONE_PRIORITY)
        )
        into = "playback" if media_class == "Audio/Duplex" else "input"
        ports = [f"{name}:{end}_{channel}" for end in (into, "capture") for channel in channels]
        self.wait_for(lambda graph: all(map(graph.port, ports)))

    def remove_node(self, name: str) -> None:
        """Destroy a node, as unplugging it would.

        It is suspended before, if it is idle: WirePlumber 0.4 crashes if it goes while that is about to happen.
        """
        [node] = self.wait_for(lambda graph: graph.named(name))
        if node.state == "idle":
            self.run(*suspend(node.id))
            self.wait_for(lambda graph: node.id not in graph.nodes or graph.nodes[node.id].state != "idle")
        self.run(*destroy(node.id))
        self.wait_for(lambda graph: not graph.named(name))

    def set_default_source(self, name: str) -> None:
        """Make an existing source the user's choice of microphone."""
        value = json.dumps({"name": name})
        self.run("pw-metadata", "0", "default.configured.audio.source", value, "Spa:String:JSON")
        self.wait_for_default("default.audio.source", name)

    def _create_node(self, arguments: str) -> None:
        self.run(*create_source(" ".join(arguments.split())))


def states(graph: Graph) -> dict[str, str]:
    """The state of the microphone and of everything that is ours."""
    return {name: node.state for name in NODES for node in graph.nodes.values() if node.name.startswith(name)}


def are_at_rest(graph: Graph) -> bool:
    """Whether nothing runs, and all is suspended but RWC Voice, which the session manager leaves idle."""
    found = states(graph)
    is_idle = found.pop("rwc_voice", "") in ("idle", "suspended")
    return is_idle and found == dict.fromkeys(set(NODES) - {"rwc_voice"}, "suspended")


def force_quantum(headless: HeadlessPipeWire, quantum: int) -> None:
    """0 leaves it to PipeWire again."""
    headless.run("pw-metadata", "-n", "settings", "0", "clock.force-quantum", str(quantum))


def traces(root: Path) -> list[str]:
    """Sockets below ``root``, and processes that live in the session of it."""
    sockets = [str(path) for path in root.rglob("*") if path.is_socket()]
    return sockets + [f"{pid}: {command}" for pid, command in processes(root)]


def processes(root: Path) -> Iterator[tuple[int, str]]:
    """Every process of the session at ``root``, with its command line."""
    mark = b"XDG_RUNTIME_DIR=%b\0" % os.fsencode(root / "run")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes() and (command := (process / "cmdline").read_text()):
                yield int(process.name), command.replace("\0", " ")
        except OSError:  # it ended meanwhile (as without a command line), or is another user's
            continue


def ours(headless: HeadlessPipeWire, word: str) -> list[int]:
    """The processes with that word; not those that one of them has just forked, and that are yet to become others."""
    pids = [pid for pid, line in processes(headless.root) if word in line and "setpriv" not in line]
    return [pid for pid in pids if parent_of(pid) not in pids]


def parent_of(pid: int) -> int | None:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None

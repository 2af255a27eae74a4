"""What a private session holds: processes, sockets, and nodes that run or are suspended."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.pipewire.graph import Graph

NODES = ("headless_microphone", "rwc_voice", "rwc_pw.capture", "rwc_pw.playback")


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

"""A private PipeWire, WirePlumber, pipewire-pulse and session bus, without the machine's devices or user's sound."""

import json
import os
import re
import select
import shutil
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
from rwc_pw.headless.servers import SERVERS, Servers
from rwc_pw.pipewire.argv import GRAPH
from rwc_pw.pipewire.graph import Graph, GraphReader

TOOLS = ("pw-dump", "pw-cli", "pw-cat", "pw-link", "pw-metadata", "setpriv")
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
        self._devices = {MICROPHONE: microphone_arguments()} if microphone else {}
        self._devices[SPEAKERS] = speakers_arguments()
        self._defaults = {"default.audio.source": MICROPHONE} if microphone else {}
        self._defaults["default.audio.sink"] = SPEAKERS
        self._quantum = quantum
        self._servers = Servers(self.root, self.environment)

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
            self._servers.listen()
            self._servers.start("dbus-daemon")
            self._servers.start("pipewire")
            self._start_session_manager()
            self._servers.start("pipewire-pulse")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything in reverse order, leaving no process and no socket."""
        self._servers.end_all()
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

    def wait_for(self, find: Callable[[Graph], Found | None], *, timeout_s: float = DEADLINE_S) -> Found:
        """The first true result of ``find``, which is called whenever something in the graph comes, changes or goes.

        Not for metadata entries: before PipeWire 1.0, pw-dump reports those only along with a later change.
        """
        reader = GraphReader()
        with closing(self._lines((*GRAPH, "--monitor"), timeout_s)) as lines:
            for line in lines:
                if (graph := reader.feed(line.decode())) and (found := find(graph)):
                    return found
        raise RwcPwError(
            f"PipeWire did not come to the expected state within {timeout_s:g} s.{self._servers.obituary()}"
        )

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
        raise RwcPwError(f"{name} did not become {key} within {timeout_s:g} s.{self._servers.obituary()}")

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
        for path, text in configuration(self.root, quantum=self._quantum, devices=self._devices.values()).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _start_session_manager(self) -> None:
        """Start WirePlumber and wait until it has chosen the default nodes."""
        server = self._servers.start("wireplumber")
        self.wait_for(lambda graph: server.pid in graph.client_pids)
        with closing(self._lines(("pw-metadata", "--monitor"), timeout_s=DEADLINE_S)) as lines:
            next(lines, None)  # 'Found "default" metadata'
        for key, name in self._defaults.items():
            self.wait_for_default(key, name)


def _metadata_name(line: bytes) -> str | None:
    value = re.search(rb"value:'(.*)' type:", line)
    return str(json.loads(value[1])["name"]) if value else None

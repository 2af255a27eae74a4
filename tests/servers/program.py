"""The program itself, run as a user runs it, in a private session."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rwc_pw.headless.session import HeadlessPipeWire
from tests.patience import PATIENCE_S


class Program:
    """``rwc-pw`` in the environment of ``headless``."""

    def __init__(self, headless: HeadlessPipeWire) -> None:
        self.environment = dict(headless.environment)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it prints to standard output; it must end with exit code ``code``."""
        done = self.run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def complaint(self, *arguments: str, code: int) -> str:
        """What it prints to standard error when it ends with ``code``; never a traceback."""
        done = self.run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        return json.loads(self("status", "--json"))

    def lost_ms(self) -> float:
        """How much sound has been lost since the daemon's start."""
        status = self.status()
        return float(status["dropped_ms"] + status["late_ms"])

    @contextmanager
    def watched(self) -> Iterator["Watch"]:
        """``status --watch`` from now on."""
        process = subprocess.Popen(
            self.argv("status", "--watch", "--json"), env=self.environment, stdout=subprocess.PIPE, text=True
        )
        with process:
            try:
                yield Watch(process)
            finally:
                process.terminate()

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "rwc_pw", *arguments]


class Watch:
    """What ``status --watch --json`` tells, one status at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._told = ""

    def until(self, **expected: object) -> dict[str, Any]:
        """The first status that has these values; the test's time limit ends the wait."""
        for line in self._process.stdout:
            assert line != self._told, "told twice"
            self._told = line
            status = json.loads(line)
            if all(status[key] == value for key, value in expected.items()):
                return status
        raise AssertionError(f"the daemon ended before {expected}")


def config_file(program: Program) -> Path:
    return Path(program.environment["XDG_CONFIG_HOME"], "rwc-pw", "config.toml")


def configure(program: Program, text: str) -> None:
    """Write config.toml."""
    path = config_file(program)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

"""Starts PipeWire's tools, and ends them reliably."""

import asyncio
import contextlib
import logging
import shlex
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from rwc_pw.errors import UnavailableError

END_TIMEOUT_S = 1.0
RUN_TIMEOUT_S = 3.0
LONGEST_LINE_BYTES = 1 << 24  # pw-dump writes properties of any length on one line

log = logging.getLogger(__name__)


async def start(argv: Sequence[str], *, stdin: int = DEVNULL, stdout: int = DEVNULL) -> Process:
    """Start a tool; ``UnavailableError`` if it is not installed or the system refuses.

    Call it in the main thread: the kernel ends the tool with the thread that started it.
    """
    log.debug("starting %s", shlex.join(argv))
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=stdout, stderr=DEVNULL, limit=LONGEST_LINE_BYTES
        )
    except FileNotFoundError as error:
        raise missing_tool(argv[0]) from error
    except OSError as error:
        raise UnavailableError(
            f"The program {argv[0]} cannot be started: {error.strerror}.", "Run `rwc-pw doctor`."
        ) from error


def terminate(process: Process) -> None:
    """Ask the process to end."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


async def wait_or_kill(*processes: Process) -> None:
    """Wait until all have ended; SIGKILL those that take too long, or all if this is cancelled."""
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_TIMEOUT_S):
                for process in processes:
                    await process.wait()
    finally:
        for process in processes:
            if process.returncode is None:
                log.warning("process %d did not end and is killed", process.pid)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        for process in processes:
            await process.wait()


async def run(argv: Sequence[str]) -> str:
    """A tool's output; ``UnavailableError`` if it does not answer in time. The exit code says little
    (pw-cli's is always 0): what a command did is read back from the graph."""
    process = await start(argv, stdout=PIPE)
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):  # asyncio.wait_for can swallow a cancellation (3.11)
            output, _ = await process.communicate()
    except TimeoutError:
        raise UnavailableError(
            f"{argv[0]} did not answer within {RUN_TIMEOUT_S:g} s.",
            "Start PipeWire: `systemctl --user start pipewire`.",
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace")


def missing_tool(name: str) -> UnavailableError:
    return UnavailableError(
        f"The program {name} is not installed.",
        "Install PipeWire's tools: `./install.sh` does, or `apt install pipewire-bin`.",
    )

"""The boundary: every error becomes a sentence, the next step and an exit code; every signal an orderly shutdown."""

import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from typer import Abort
from typer.core import TyperGroup

from rwc_pw.cli.printing import one_line, print
from rwc_pw.errors import EXIT_FAILED, EXIT_INTERRUPTED, ConfigError, RwcPwError

OUTPUT_ERRORS = errno.EPIPE, errno.ENOSPC  # on standard output; those of files have been given a sentence
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Edge(TyperGroup):
    """Turns every error into a sentence, the next step and an exit code."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            try:
                return super().main(*arguments, **options)
            finally:
                if sys.stdout:  # else it was closed before we began
                    sys.stdout.flush()  # here, and not when the interpreter ends, its failure can be told
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be written
            if not isinstance(error, BrokenPipeError):  # else nobody reads any more
                print(f"rwc-pw: The output cannot be written: {error.strerror}.", file=sys.stderr)
            raise SystemExit(EXIT_FAILED) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
        except Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise SystemExit(EXIT_INTERRUPTED) from None
            if isinstance(error.__context__, EOFError):
                _complain(ctx, error, "Nobody answered the question.", "Run it in a terminal, or with --yes.")
            raise SystemExit(EXIT_FAILED) from None
        except RwcPwError as error:
            _complain(ctx, error, error.message, error.remedy)
            raise SystemExit(error.exit_code) from None
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise  # typer itself reports usage errors and exits
            if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS and error.filename is None:
                raise  # main reports it
            if isinstance(error, OSError) and error.filename is not None and error.strerror:
                _complain(
                    ctx, error, f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}.", "Give another."
                )
                raise SystemExit(EXIT_FAILED) from None
            _complain(ctx, error, f"Something unforeseen failed: {error!r}.", "Run it again with `rwc-pw --debug …`.")
            raise SystemExit(EXIT_FAILED) from None


def _complain(ctx: Any, error: Exception, message: str, remedy: str) -> None:
    if ctx.params.get("debug"):
        logging.getLogger(__name__).error("", exc_info=error)
    if not isinstance(error, ConfigError) and not isinstance(error.__cause__, ConfigError):  # it has many problems
        message, remedy = one_line(message), one_line(remedy)
    print(f"rwc-pw: {message}", *([remedy] if remedy else []), sep="\n        ", file=sys.stderr)


def end_in_order() -> None:
    """Make SIGTERM and SIGHUP clean up as Ctrl-C does."""
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores SIGHUP
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    for ignored in ENDING_SIGNALS:  # a session that ends sends both
        signal.signal(ignored, signal.SIG_IGN)
    raise SystemExit(128 + number)


def run_until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Do the work, which any signal ends in order; ``SystemExit`` as shells report that signal."""
    if received := asyncio.run(until_signal(work)):
        raise SystemExit(128 + received)


async def until_signal(work: Coroutine[Any, Any, None]) -> int:
    """Do the work; return the signal that ended it, or 0. A signal cancels it, as asyncio does for Ctrl-C:
    an exception from a signal handler would end whichever task it hit, and the others would wait for that."""
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def end(number: int) -> None:
        if not received:  # a session that ends sends both
            task.cancel()
        received.append(number)

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is _end:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received else 0

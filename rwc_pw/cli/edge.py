"""The edge: every error becomes a sentence, the next step and an exit code; every ending signal an end in order."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from typer.core import TyperGroup

from rwc_pw.errors import EXIT_FAILED, EXIT_INTERRUPTED, RwcPwError

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Edge(TyperGroup):
    """Where every error becomes a sentence, the next step and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
            raise SystemExit(EXIT_FAILED) from None
        except RwcPwError as error:
            _complain(ctx, error, error.message, error.remedy)
            raise SystemExit(error.exit_code) from None
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise  # usage errors and exits are typer's to tell
            _complain(ctx, error, f"Something unforeseen failed: {error!r}.", "Run it again with `rwc-pw --debug …`.")
            raise SystemExit(EXIT_FAILED) from None


def _complain(ctx: Any, error: Exception, message: str, remedy: str) -> None:
    if ctx.params.get("debug"):
        logging.getLogger(__name__).error("", exc_info=error)
    print(f"rwc-pw: {message}", *([remedy] if remedy else []), sep="\n        ", file=sys.stderr)


def end_in_order() -> None:
    """Have SIGTERM and SIGHUP leave behind what Ctrl-C leaves behind: nothing."""
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    for ignored in ENDING_SIGNALS:  # a session that ends sends both
        signal.signal(ignored, signal.SIG_IGN)
    raise SystemExit(128 + number)


async def until_signal(work: Coroutine[Any, Any, None]) -> int:
    """Do the work; the signal that ended it, or 0. It is cancelled in order, as asyncio does it for Ctrl-C:
    an exception out of a signal handler would end whichever task it met, and the others would wait for that."""
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

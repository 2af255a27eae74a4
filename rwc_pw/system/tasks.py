"""Coroutines that run and end together, or begin again."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from rwc_pw.errors import RwcPwError
from rwc_pw.system.backoff import Backoff

T = TypeVar("T")

CANCEL_AGAIN_S = 3.0  # longer than any orderly shutdown takes


async def until_one_ends(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run all until one returns or raises; the others are then cancelled, and all have ended on return."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        while pending := [task for task in tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)  # a library may have swallowed the cancellation
        await asyncio.gather(*tasks, return_exceptions=True)


async def again_and_again(
    action: Callable[[], Awaitable[None]], backoff: Backoff, on_failure: Callable[[RwcPwError | OSError], None]
) -> None:
    """Begin again after each failure; never return. ``OSError``: no descriptors may be left, for example."""
    while True:
        try:
            await action()
        except (RwcPwError, OSError) as error:
            on_failure(error)
        await asyncio.sleep(backoff.next_s())


async def in_daemon_thread(function: Callable[[], T]) -> T:
    """Its result, from a thread that nobody waits for at the end: a library may stand still in it for ever."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, result: Any) -> None:
        if done.cancelled():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(result)

    def run() -> None:
        error, result = None, None
        try:
            result = function()
        except Exception as raised:  # the thread's boundary: it is raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, error, result)

    threading.Thread(target=run, daemon=True).start()
    return await done

"""Coroutines that run and end together, or begin again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rwc_pw.errors import RwcPwError
from rwc_pw.system.backoff import Backoff

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

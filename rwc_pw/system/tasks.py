"""Coroutines that run and end together."""

import asyncio
from collections.abc import Coroutine
from typing import Any

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

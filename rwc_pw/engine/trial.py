"""Loads an RVC voice, and tries out how long it takes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.engine.chunk_size import chunk_sizes, keeps_up
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS, ConversionTimes

CreateBackend = Callable[[ConversionConfig], ConversionBackend]


async def load(backend: ConversionBackend, chunk_samples: int, chunks: int = TRIAL_CHUNKS) -> ConversionTimes:
    """Initialise the converter; the times that it then took for ``chunks`` trial chunks.

    Raises whatever the converter raises, which is then cleaned up.
    """
    times = ConversionTimes(chunk_samples)
    trial = asyncio.ensure_future(asyncio.to_thread(times.try_out, backend, chunks, in_real_time=True))
    try:
        await asyncio.shield(trial)
    except BaseException:
        backend.cleanup()  # this also ends a thread that waits for it,
        while not trial.done():  # but not one that is opening a network: the next load begins after it
            with suppress(asyncio.CancelledError):
                await asyncio.wait([trial])
        raise
    return times


async def clean_up(backend: ConversionBackend) -> None:
    """Clean up in a thread, for which a process may have to be waited; also if this is cancelled."""
    await asyncio.shield(asyncio.to_thread(backend.cleanup))


async def least_chunk(conversion: ConversionConfig, create: CreateBackend) -> int:
    """The smallest chunk size with which the machine keeps up, found by trial; the largest if there is none."""
    for size in chunk_sizes(device_of(conversion)):
        tried = replace(conversion, chunk_size=size)
        backend = create(tried)
        times = await load(backend, tried.chunk_samples)
        await clean_up(backend)
        if keeps_up(times):
            break
    return size

"""Loads converters beside the one that speaks."""

import asyncio
from dataclasses import replace

from rwc_pw.streaming.backend import ConversionBackend
from rwc_pw.streaming.chunk_choice import chunk_sizes, holds
from rwc_pw.streaming.conversion import create_backend
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS, ConversionTimes


async def load(conversion: ConversionConfig, chunks: int = TRIAL_CHUNKS) -> tuple[ConversionBackend, ConversionTimes]:
    """The converter, initialised, and how long it takes for so many chunks: few, where another one speaks meanwhile.

    Raises whatever the converter raises.
    """
    backend, times = create_backend(conversion), ConversionTimes(conversion.chunk_samples)
    try:
        await asyncio.to_thread(times.try_out, backend, chunks)
    except BaseException:
        backend.cleanup()  # a thread that waits for it ends, too
        raise
    return backend, times


async def choose_chunk(conversion: ConversionConfig) -> int:
    """Try out one size of chunk after the other, until the machine keeps up with one; that size, or the largest."""
    for size in chunk_sizes(conversion.device):
        backend, times = await load(replace(conversion, chunk_size=size))
        await asyncio.to_thread(backend.cleanup)
        if holds(times):
            break
    return size

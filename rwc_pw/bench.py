"""Speed of a voice on this machine, for each chunk size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, milliseconds
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.create import create_backend
from rwc_pw.conversion.device import device_of
from rwc_pw.engine.chunk_size import chunk_sizes, keeps_up
from rwc_pw.pipewire.transport import least_latency_samples
from rwc_pw.streaming.conversion_times import ConversionTimes

FIXED_CHUNK_SIZES = 2048, 4096, 8192, 16384
BUILT_IN_CHUNK_SIZES = 128, 256, 512, 1024
KEPT_UP_SIZES = 3  # are enough: larger chunks only add delay


@dataclass(frozen=True)
class ChunkFigures:
    """Costs of one chunk size; the times are per conversion."""

    chunk_samples: int
    chunk_ms: float
    real_time_factor: float
    """The median time divided by the chunk's duration."""
    median_ms: float
    p95_ms: float
    p99_ms: float
    keeps_up: bool
    delay_ms: float
    """Microphone to app, as ``rwc-pw status`` will declare it: computed here, not measured."""


def bench(config: ConversionConfig, seconds: float, quantum: int) -> Iterator[ChunkFigures]:
    """Convert ``seconds`` of sound in chunks of each size, smallest first, until the machine keeps up with a few.

    Raises whatever loading the converter raises.
    """
    kept_up = 0
    for size in _sizes(config):
        found = _figures(replace(config, chunk_size=size), size, seconds, quantum)
        yield found
        kept_up += found.keeps_up
        if kept_up == KEPT_UP_SIZES:
            break


def recommended(found: list[ChunkFigures]) -> ChunkFigures | None:
    """The size with the least delay among those with which the machine keeps up; if equal, the cheaper one."""
    kept_up = [figures for figures in found if figures.keeps_up]
    return min(kept_up, key=lambda figures: (round(figures.delay_ms), -figures.chunk_samples), default=None)


def _sizes(config: ConversionConfig) -> tuple[int, ...]:
    if config.model_path is None:
        return BUILT_IN_CHUNK_SIZES
    return chunk_sizes(device_of(config)) if config.rvc_backend.adapts_chunk else FIXED_CHUNK_SIZES


def _figures(config: ConversionConfig, size: int, seconds: float, quantum: int) -> ChunkFigures:
    chunks = max(1, round(seconds * SAMPLE_RATE_HZ / size))
    backend, times = create_backend(config), ConversionTimes(size, kept=chunks)
    try:
        times.try_out(backend, chunks, longest_s=seconds, in_real_time=True)
        latency_samples = backend.latency_samples
    finally:
        backend.cleanup()
    median_ms, p95_ms, p99_ms = (1000 * times.percentile_s(percent) for percent in (50, 95, 99))
    delay_samples = times.delay_samples(quantum) + latency_samples + least_latency_samples(quantum)
    return ChunkFigures(
        chunk_samples=size,
        chunk_ms=milliseconds(size),
        real_time_factor=times.load(50),
        median_ms=median_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        keeps_up=keeps_up(times),
        delay_ms=milliseconds(delay_samples),
    )

"""Loads RVC voices while another voice speaks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rwc_pw.config import Config
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.create import create_backend
from rwc_pw.engine.chunk_size import ChosenChunks, chunk_sizes, keeps_up
from rwc_pw.engine.request import conversion_of, is_chunk_ours
from rwc_pw.errors import Fault, RwcPwError, fault_of
from rwc_pw.rvc import gpu
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS, ConversionTimes
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends
from rwc_pw.voices.rvc_voice import RvcVoice

FIRST_RETRY_S = 5.0  # after a voice could not be loaded
LONGEST_RETRY_S = 600.0
TRIED_AGAIN = f"It is tried again by itself, after at most {LONGEST_RETRY_S / 60:g} minutes."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedVoice:
    """An RVC voice that can speak."""

    kind: object
    """Equal for two voices that take the same time per chunk and have the same delay."""
    device: str | None
    """The device it was meant to be computed on."""
    backend: ConversionBackend
    times: ConversionTimes
    """Durations of its trial: of a single chunk if a voice of the same kind speaks."""


class VoiceLoader:
    """Loads the voice that is wanted; ``run`` lasts until cancelled.

    A load that another wish has overtaken is given up at once, unless it serves that wish as well.
    """

    def __init__(
        self,
        paths: Paths,
        chosen_chunks: ChosenChunks,
        speaks: Callable[[object], bool],
        hand_over: Callable[[LoadedVoice], Awaitable[bool]],
        on_change: Callable[[], None],
    ) -> None:
        """``speaks`` tells whether a voice of that kind speaks now.

        ``hand_over`` lets a voice speak, adjusted to what is wanted by then; False if that takes another converter.
        ``on_change`` is called whenever ``loading`` or ``fault`` may have changed.
        """
        self.loading = ""
        """The name of the voice that is being loaded; empty if none is."""
        self.fault: Fault | None = None
        """The reason why the wanted voice could not be loaded; it is tried again."""
        self._paths = paths
        self._chosen_chunks = chosen_chunks
        self._speaks = speaks
        self._hand_over = hand_over
        self._on_change = on_change
        self._config: Config
        self._in_work: ConversionConfig | None = None
        self._changed = asyncio.Event()  # what is wanted

    def want(self, config: Config) -> None:
        """Load this configuration's voice."""
        self._config, self.fault = config, None
        if self._serves(config):
            return
        self.loading = config.voice
        self._changed.set()

    def give_up(self) -> None:
        """Load nothing any more."""
        self.fault, self.loading = None, ""
        self._changed.set()

    async def run(self) -> None:
        backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)
        while True:
            try:
                async with asyncio.timeout(backoff.next_s() if self.fault else None):
                    await self._changed.wait()
                backoff.reset()
            except TimeoutError:
                if self.fault:  # otherwise something else is wanted since
                    self.loading = self._config.voice
                    self._on_change()
            self._changed.clear()
            if self.loading:
                await until_one_ends(self._load(), self._changed.wait())

    async def _load(self) -> None:
        device = None
        try:
            conversion = await asyncio.to_thread(self._conversion_of, self._config)
            device = await asyncio.to_thread(lambda: conversion.device)  # finding one may take seconds
            self._in_work = conversion
            if is_chunk_ours(self._config) and not self._chosen_chunks.get(conversion):
                conversion = replace(conversion, chunk_size=await _choose_chunk(conversion))
                self._chosen_chunks.keep(conversion, conversion.chunk_size)
                self._in_work = conversion
            device, kind = conversion.device, _kind(conversion)
            backend, times = await load(conversion, 1 if self._speaks(kind) else TRIAL_CHUNKS)
        except Exception as error:  # the boundary to the converter: whatever it raises becomes the reason
            log.debug("the voice could not be loaded", exc_info=error)
            if self._changed.is_set():
                return
            if device and gpu.has_failed():
                self._changed.set()  # again, on the CPU
            else:
                fault = _fault_of(error)
                if fault != self.fault:  # it is said once, however often it is tried again
                    log.warning("%s", fault.reason)
                self.loading, self.fault = "", fault
        else:
            await self._deliver(LoadedVoice(kind, device, backend, times))
        finally:
            self._in_work = None
        self._on_change()

    async def _deliver(self, voice: LoadedVoice) -> None:
        try:
            is_taken = await self._hand_over(voice)
        except BaseException:
            voice.backend.cleanup()
            raise
        if is_taken:
            self.loading, self.fault = "", None
        else:
            await _clean_up(voice.backend)
            self._changed.set()

    def _serves(self, config: Config) -> bool:
        """Return whether what is being loaded can be adjusted to this configuration."""
        if self._in_work is None or self._changed.is_set():
            return False
        return self._in_work.is_loaded_like(self._conversion_of(config))

    def _conversion_of(self, config: Config) -> ConversionConfig:
        return conversion_of(config, self._chosen_chunks, self._paths)


async def load(conversion: ConversionConfig, chunks: int = TRIAL_CHUNKS) -> tuple[ConversionBackend, ConversionTimes]:
    """The initialised converter, and the times it took for ``chunks`` trial chunks.

    Raises whatever the converter raises.
    """
    backend, times = create_backend(conversion), ConversionTimes(conversion.chunk_samples)
    trial = asyncio.ensure_future(asyncio.to_thread(times.try_out, backend, chunks, in_real_time=True))
    try:
        await asyncio.shield(trial)
    except BaseException:
        backend.cleanup()  # this also ends a thread that waits for it,
        while not trial.done():  # but not one that is opening a network: the next load begins after it
            with suppress(asyncio.CancelledError):
                await asyncio.wait([trial])
        raise
    return backend, times


async def _clean_up(backend: ConversionBackend) -> None:
    """Clean up in a thread, for which a process may have to be waited; also if this is cancelled."""
    await asyncio.shield(asyncio.to_thread(backend.cleanup))


async def _choose_chunk(conversion: ConversionConfig) -> int:
    """The smallest chunk size with which the machine keeps up, found by trial; the largest if there is none."""
    for size in chunk_sizes(conversion.device):
        backend, times = await load(replace(conversion, chunk_size=size))
        await _clean_up(backend)
        if keeps_up(times):
            break
    return size


def _kind(conversion: ConversionConfig) -> object:
    voice = RvcVoice.read(Path(conversion.model_path or ""))
    asked = conversion.backend, conversion.chunk_samples, conversion.look_ahead_frames, conversion.detector
    return *asked, conversion.device, voice.version, voice.sample_rate_hz, voice.has_pitch, voice.has_index


def _fault_of(error: Exception) -> Fault:
    fault = fault_of(error)
    if not isinstance(error, RwcPwError):
        fault = Fault(f"the voice could not be loaded: {fault.reason}", "Run `rwc-pw doctor`.")
    return Fault(fault.reason, f"{fault.remedy} {TRIED_AGAIN}".lstrip())

"""Loads RVC voices while another voice speaks."""

import asyncio
import logging
from dataclasses import replace
from typing import Protocol

from rwc_pw.config import Config
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.engine.request import conversion_of, is_chunk_ours
from rwc_pw.engine.trial import CreateBackend, clean_up, least_chunk, load
from rwc_pw.engine.voice_state import LoadedVoice
from rwc_pw.errors import Fault, RwcPwError, fault_of
from rwc_pw.rvc import gpu
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.paths import Paths
from rwc_pw.system.tasks import until_one_ends

FIRST_RETRY_S = 5.0  # after a voice could not be loaded
LONGEST_RETRY_S = 600.0
TRIED_AGAIN = f"It is tried again by itself, after at most {LONGEST_RETRY_S / 60:g} minutes."

log = logging.getLogger(__name__)


class Customer(Protocol):
    """Whoever a voice is loaded for."""

    def speaks_like(self, kind: object) -> bool:
        """Return whether a voice of that kind speaks now."""

    async def take(self, voice: LoadedVoice) -> bool:
        """Let ``voice`` speak, adjusted to what is wanted by now; False if that takes another converter."""

    def load_failed(self, fault: Fault) -> None:
        """The voice could not be loaded; it is tried again."""

    def tried_again(self) -> None:
        """The voice that could not be loaded is tried again now."""

    def gpu_failed(self) -> None:
        """The GPU failed in the load, which is begun again on the CPU."""


class VoiceLoader:
    """Loads the voice that is wanted; ``run`` lasts until cancelled.

    A load that another wish has overtaken is given up at once, unless it serves that wish as well.
    """

    def __init__(
        self,
        paths: Paths,
        chosen_chunks: ChosenChunks,
        customer: Customer,
        create: CreateBackend,
        backoff: Backoff,
    ) -> None:
        """``create`` makes the converter for a configuration, not yet initialised; ``backoff`` is between attempts."""
        self._paths = paths
        self._chosen_chunks = chosen_chunks
        self._customer = customer
        self._create = create
        self._backoff = backoff
        self._wanted: Config | None = None
        self._fault: Fault | None = None  # of the last attempt
        self._in_work: ConversionConfig | None = None
        self._changed = asyncio.Event()  # what is wanted

    def want(self, config: Config) -> None:
        """Load this configuration's voice."""
        self._wanted, self._fault = config, None
        if not self._serves(config):
            self._changed.set()

    def give_up(self) -> None:
        """Load nothing any more."""
        self._wanted = self._fault = None
        self._changed.set()

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._backoff.next_s() if self._fault else None):
                    await self._changed.wait()
                self._backoff.reset()
            except TimeoutError:
                if self._fault:  # otherwise something else is wanted since
                    self._customer.tried_again()
            self._changed.clear()
            if self._wanted:
                await until_one_ends(self._load(self._wanted), self._changed.wait())

    async def _load(self, config: Config) -> None:
        device = None
        try:
            conversion = await asyncio.to_thread(self._conversion_of, config)
            device = await asyncio.to_thread(lambda: device_of(conversion))  # finding one may take seconds
            self._in_work = conversion
            if is_chunk_ours(config) and not self._chosen_chunks.get(conversion):
                conversion = replace(conversion, chunk_size=await least_chunk(conversion, self._create))
                self._chosen_chunks.keep(conversion, conversion.chunk_size)
                self._in_work = conversion
            backend, device = self._create(conversion), device_of(conversion)
            kind = backend.kind
            chunks = 1 if self._customer.speaks_like(kind) else TRIAL_CHUNKS
            times = await load(backend, conversion.chunk_samples, chunks)
        except Exception as error:  # the boundary to the converter: whatever it raises becomes the reason
            log.debug("the voice could not be loaded", exc_info=error)
            self._fail(error, device)
        else:
            await self._deliver(LoadedVoice(kind, device, backend, times))
        finally:
            self._in_work = None

    def _fail(self, error: Exception, device: str | None) -> None:
        if self._changed.is_set():
            return
        if device and gpu.has_failed():
            self._changed.set()  # again, on the CPU
            self._customer.gpu_failed()
            return
        fault = _fault_of(error)
        if fault != self._fault:  # it is said once, however often it is tried again
            log.warning("%s", fault.reason)
        self._fault = fault
        self._customer.load_failed(fault)

    async def _deliver(self, voice: LoadedVoice) -> None:
        try:
            is_taken = await self._customer.take(voice)
        except BaseException:
            voice.backend.cleanup()
            raise
        if is_taken:
            self._wanted = self._fault = None
        else:
            await clean_up(voice.backend)
            self._changed.set()

    def _serves(self, config: Config) -> bool:
        """Return whether what is being loaded can be adjusted to this configuration."""
        if self._in_work is None or self._changed.is_set():
            return False
        return self._in_work.is_loaded_like(self._conversion_of(config))

    def _conversion_of(self, config: Config) -> ConversionConfig:
        return conversion_of(config, self._chosen_chunks, self._paths)


def _fault_of(error: Exception) -> Fault:
    fault = fault_of(error)
    if not isinstance(error, RwcPwError):
        fault = Fault(f"the voice could not be loaded: {fault.reason}", "Run `rwc-pw doctor`.")
    return Fault(fault.reason, f"{fault.remedy} {TRIED_AGAIN}".lstrip())

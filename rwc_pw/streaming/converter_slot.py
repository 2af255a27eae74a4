"""The converter that speaks, the one that takes over from it, and what becomes of their failures."""

import logging
import threading
import time
from dataclasses import dataclass

import numpy as np

from rwc_pw.audio.crossfade import crossfade
from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.errors import ConversionError, Fault, fault_of
from rwc_pw.system.backoff import Backoff

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A chunk to convert."""

    chunk: Samples
    history: Samples
    """The samples captured right before."""
    begins: bool
    """True if it begins a stream: the converter has no state that belongs to it."""


class ConverterSlot:
    """Holds one converter, whose failures become silence and a ``fault``; another may take its place.

    A converter that has failed is initialised again after a pause that doubles with each failure. One thread converts;
    the rest may be called from any.
    """

    def __init__(self, backend: ConversionBackend) -> None:
        self.fault: Fault | None = None
        """The reason why silence replaces the converted voice; None if all is well."""
        self.has_failed = False
        """True if the converter has to be initialised before it converts."""
        self._lock = threading.Lock()
        self._backend = backend
        self._successor: ConversionBackend | None = None
        self._replaced: ConversionBackend | None = None
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._retry_at_s = 0.0

    @property
    def backend(self) -> ConversionBackend:
        """The converter that speaks."""
        return self._backend

    @property
    def has_successor(self) -> bool:
        return self._successor is not None

    def put(self, successor: ConversionBackend) -> None:
        """Let ``successor``, already initialised, take over with the next chunk; clean up one that waits already."""
        with self._lock:
            overtaken, self._successor = self._successor, successor
        if overtaken:
            overtaken.cleanup()

    def adjust(self, config: ConversionConfig) -> bool:
        """Adjust the converter, or the one that takes over, to ``config``; False if that takes a new converter."""
        with self._lock:
            backend = self._successor or self._backend
        is_adjusted = backend.adjust(config)  # it may read files, which must not hold up the sound
        with self._lock:
            return is_adjusted and backend is (self._successor or self._backend)

    def exchange(self) -> None:
        """Let the successor take over while no stream runs: there is no chunk to crossfade in."""
        if self._take_over():
            self.fault, self.has_failed = None, False

    def forgive(self) -> None:
        """Forget the fault of a stream that has ended, and try again at once."""
        self.fault = None
        self._retry_at_s = 0.0

    def refuse(self, fault: Fault) -> None:
        """Report why a chunk is given to no converter."""
        if not self.fault:
            self.fault = fault
            log.error("%s", fault.reason)

    def convert(self, work: Work) -> Samples | None:
        """The converted chunk, or None (silence) while the converter is failing."""
        predecessor = self._take_over()
        if self.has_failed and not predecessor and time.monotonic() < self._retry_at_s:
            return None
        try:
            converted = self._hand_over(work, predecessor) if predecessor else self._convert_or_raise(work)
        except Exception as error:  # the boundary to the converter: whatever it raises must become silence
            self._fail(error)
            return None
        self.fault, self.has_failed = None, False
        self._backoff.reset()
        return converted

    def give_back_replaced(self) -> None:
        """Clean up the old converter, after its fade-out is written: this may take longer than a chunk lasts."""
        replaced, self._replaced = self._replaced, None
        if not replaced:
            return
        try:
            replaced.cleanup()
        except Exception as error:  # the old converter's failure is not the new one's
            log.warning("the converter that was replaced failed: %s", error)

    def cleanup(self) -> None:
        """Clean up every converter in it."""
        with self._lock:
            successor, self._successor = self._successor, None
        self.give_back_replaced()  # the thread may still be waiting for its fade-out
        self._backend.cleanup()
        if successor:
            successor.cleanup()

    def _take_over(self) -> ConversionBackend | None:
        """Let a successor speak; return its predecessor, None if there is no successor."""
        with self._lock:
            if not self._successor:
                return None
            self._replaced, self._backend, self._successor = self._backend, self._successor, None
            return self._replaced

    def _convert_or_raise(self, work: Work) -> Samples:
        if self.has_failed:
            self._backend.initialize()
        context = work.history if self.has_failed or work.begins else None
        return _checked(self._backend.convert_chunk(work.chunk, context), work.chunk)

    def _hand_over(self, work: Work, predecessor: ConversionBackend) -> Samples | None:
        """The chunk in which one converter replaces another; None (silence) if the old one fails in it."""
        speaks = not (self.has_failed or work.begins)
        before = None
        try:
            if speaks:
                before = _checked(faded := predecessor.fade_out(work.chunk), work.chunk[: len(faded)])
        except Exception as error:  # the old converter's failure is not the new one's
            log.warning("the converter that was replaced failed: %s", error)
        after = _checked(self._backend.convert_chunk(work.chunk, work.history), work.chunk)
        if not speaks:
            return after
        return crossfade(before, after) if before is not None else None

    def _fail(self, error: Exception) -> None:
        if not self.fault:
            log.error("the converter failed: %s", error)
            log.debug("where it failed", exc_info=error)
        cause = fault_of(error)
        self.fault, self.has_failed = Fault(f"the converter failed: {cause.reason}", cause.remedy), True
        self._retry_at_s = time.monotonic() + self._backoff.next_s()


def _checked(converted: Samples, chunk: Samples) -> Samples:
    """The converter's output; ``ConversionError`` unless it is finite sound of the chunk's length."""
    converted = np.asarray(converted, np.float32)
    if converted.shape != chunk.shape:
        raise ConversionError(f"it returned {converted.shape} samples for {chunk.shape}")
    if not np.isfinite(converted).all():
        raise ConversionError("it returned numbers that are not finite")
    return converted

"""Follows the default source through pipewire-pulse, in a thread."""

import logging
import threading
from collections.abc import Callable

import pulsectl

from rwc_pw.errors import Fault, UnavailableError
from rwc_pw.pipewire.devices import connected_pulse, default_source_of

RETRY_S = 0.5
STOP_S = 0.1
STOP_TRIES = 10

log = logging.getLogger(__name__)


class DefaultSourceWatch:
    """Passes the default source's name to ``on_change``, at once and after every change, in its own thread.

    ``on_failure`` is told why PipeWire's nodes are not listed by apps, each time they are found not to be.
    pw-dump would not do: before PipeWire 1.0, it reports a new default only along with a later change.
    """

    def __init__(self, on_change: Callable[[str], None], on_failure: Callable[[Fault], None]) -> None:
        self._on_change = on_change
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._pulse: pulsectl.Pulse | None = None
        self._changed = False
        self._checking = False
        self._thread = threading.Thread(target=self._run, name="default-source", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Look again through a new connection.

        If a change comes while another client binds the metadata, PipeWire fails to notify a client of it
        (module-metadata, 0.3.65 to 1.4.2), and so pipewire-pulse does not notify us; a new client gets everything.
        """
        self._checking = True
        self._interrupt()

    def stop(self) -> None:
        """End the thread, or abandon it if it waits for a pipewire-pulse that does not answer."""
        self._stopping.set()
        for _ in range(STOP_TRIES):
            self._interrupt()
            self._thread.join(STOP_S)
            if not self._thread.is_alive():
                return
        log.debug("pipewire-pulse does not answer: the thread that waits for it is left behind")

    def _interrupt(self) -> None:
        with self._lock:  # libpulse aborts the process if asked to wake a closed connection
            if self._pulse:
                self._pulse.event_listen_stop()  # has no effect if the thread is not listening yet

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._checking = False
            try:
                with connected_pulse() as pulse:
                    self._hold(pulse)
                    try:
                        self._listen(pulse)
                    finally:
                        self._hold(None)
            except UnavailableError as error:
                self._on_failure(error.fault)
                self._stopping.wait(RETRY_S)

    def _hold(self, pulse: pulsectl.Pulse | None) -> None:
        with self._lock:
            self._pulse = pulse

    def _listen(self, pulse: pulsectl.Pulse) -> None:
        pulse.event_mask_set("server")
        pulse.event_callback_set(self._note_change)
        while not (self._stopping.is_set() or self._checking):
            self._changed = False
            try:
                self._on_change(default_source_of(pulse))
            except UnavailableError as error:  # until that server ends
                self._on_failure(error.fault)
            if not self._changed:  # pulsectl drops an event that came while it waited for the answer
                pulse.event_listen()

    def _note_change(self, _: object) -> None:
        self._changed = True
        raise pulsectl.PulseLoopStop

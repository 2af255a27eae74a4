"""Follows the default source, in a thread, through pipewire-pulse."""

import threading
from collections.abc import Callable

import pulsectl

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.devices import connected_pulse

RETRY_S = 0.5
STOP_S = 0.1


class DefaultSourceWatch:
    """Tells ``on_change`` the default source's name, at once and after every change, in its own thread.

    pw-dump would not do: before PipeWire 1.0 it reports a new default only with some later change.
    """

    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._stopping = threading.Event()
        self._pulse: pulsectl.Pulse | None = None
        self._thread = threading.Thread(target=self._run, name="default-source", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        while self._thread.is_alive():  # a wake-up is lost while the thread is not yet listening
            if pulse := self._pulse:
                pulse.event_listen_stop()
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connected_pulse() as self._pulse:
                    self._listen(self._pulse)
            except UnavailableError:
                pass  # it comes back, or the user has none and nothing changes
            finally:
                self._pulse = None
            self._stopping.wait(RETRY_S)

    def _listen(self, pulse: pulsectl.Pulse) -> None:
        pulse.event_mask_set("server")
        pulse.event_callback_set(_return_from_listening)
        while not self._stopping.is_set():
            self._on_change(pulse.server_info().default_source_name or "")
            pulse.event_listen()


def _return_from_listening(_: object) -> None:
    raise pulsectl.PulseLoopStop

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pulsectl
import pytest

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire import default_source
from rwc_pw.pipewire.default_source import DefaultSourceWatch
from tests.patience import PATIENCE_S


def test_a_pipewire_pulse_that_never_answers_holds_nobody_up(monkeypatch):
    connecting, answer = threading.Event(), threading.Event()

    @contextmanager
    def hung() -> Iterator[None]:
        connecting.set()
        answer.wait()
        yield

    monkeypatch.setattr(default_source, "connected_pulse", hung)
    monkeypatch.setattr(default_source, "STOP_S", 0.001)
    watch = DefaultSourceWatch(lambda _: None, lambda _: None)
    monkeypatch.setattr(watch, "_listen", lambda _: None)
    watch.start()
    assert connecting.wait(PATIENCE_S)
    stopping = threading.Thread(target=watch.stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    ended = not stopping.is_alive()
    answer.set()
    watch._thread.join(PATIENCE_S)
    assert ended
    assert not watch._thread.is_alive()


class Server(SimpleNamespace):
    """A server of PulseAudio's protocol; ``told`` says what it has told of itself so far."""

    def __init__(self, *names: str) -> None:
        super().__init__(names=list(names))

    def server_info(self) -> SimpleNamespace:
        return SimpleNamespace(server_name=self.names.pop(0), default_source_name="microphone")

    def event_mask_set(self, _: str) -> None: ...

    def event_callback_set(self, _: object) -> None: ...

    def event_listen(self) -> None:
        if not self.names:
            raise pulsectl.PulseDisconnected


def test_who_serves_apps_that_is_not_pipewire_is_told_once_until_that_changes():
    told = []
    watch = DefaultSourceWatch(told.append, told.append)
    with pytest.raises(pulsectl.PulseDisconnected):
        watch._listen(Server("pulseaudio", "PulseAudio (on PipeWire 1.4.2)"))
    fault, name = told
    assert "PulseAudio itself serves" in fault.reason
    assert "mask --now pulseaudio.socket" in fault.remedy
    assert name == "microphone"


def test_a_server_that_is_away_is_told(monkeypatch):
    told = []
    watch = DefaultSourceWatch(lambda _: None, lambda fault: (told.append(fault), watch._stopping.set()))

    @contextmanager
    def away() -> Iterator[None]:
        raise UnavailableError("pipewire-pulse does not answer.")
        yield

    monkeypatch.setattr(default_source, "connected_pulse", away)
    watch.start()
    watch._thread.join(PATIENCE_S)
    assert [fault.reason for fault in told] == ["pipewire-pulse does not answer"]

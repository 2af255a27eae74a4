import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
    watch = DefaultSourceWatch(lambda _: None)
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

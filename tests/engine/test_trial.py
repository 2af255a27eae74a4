import asyncio

import pytest

from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.backend import IdentityBackend
from rwc_pw.engine.trial import load
from rwc_pw.streaming.conversion_times import TRIAL_CHUNKS
from tests.clock import Clock


class Slow(IdentityBackend):
    """Its conversions take so long, one after the other."""

    def __init__(self, clock: Clock, *taken_s: float) -> None:
        self.begun_s: list[float] = []
        self._clock = clock
        self._taken_s = list(taken_s)

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        self.begun_s.append(self._clock.now_s)
        self._clock.now_s += self._taken_s.pop(0) if self._taken_s else 0.01
        return audio_chunk


@pytest.fixture
def clock(monkeypatch) -> Clock:
    it = Clock()
    monkeypatch.setattr("rwc_pw.streaming.conversion_times.time", it)
    return it


@pytest.mark.parametrize(("taken_s", "begin_s"), [((), [1, 1.1, 1.2]), ((0.5,), [1, 1.5, 1.6])])
def test_each_chunk_of_the_trial_waits_for_its_sound(clock, taken_s, begin_s):
    backend = Slow(clock, 1.0, *taken_s)  # the first one does not count
    times = asyncio.run(load(backend, 4800))
    assert backend.begun_s[1:4] == pytest.approx(begin_s)
    assert times.count <= TRIAL_CHUNKS
    assert times.percentile_s(0) == pytest.approx(0.01)

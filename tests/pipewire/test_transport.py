"""Sound on its way through us: how late, how much of it, and what happens when the converter fails."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rwc_pw.headless.recording import AppRecorder
from rwc_pw.streaming import ConversionBackend, IdentityBackend
from tests.patience import PATIENCE_S
from tests.servers.rig import Rig, Stalling
from tests.servers.session import force_quantum
from tests.servers.sound import (
    MICROPHONE_PORT,
    RATE_HZ,
    VOICE_PORT,
    WINDOW,
    PairRecorder,
    Player,
    delay_samples,
    delays,
    noise,
    record_pair,
)


@pytest.mark.parametrize("quantum", [128, 256, 1024])
def test_it_is_two_quanta_late_and_says_so(start_headless, quantum):
    headless = start_headless(quantum=quantum)
    for _ in range(5):  # a busy machine misses cycles now and then
        with (
            Rig(headless, IdentityBackend(), chunk_size=quantum) as rig,
            Player(headless, noise(8)),
            AppRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder,
        ):
            declared = []
            for half_seconds in range(2, 9):  # the first second may still settle
                recorder.wait(half_seconds * RATE_HZ // 2, timeout_s=PATIENCE_S)
                declared.append(rig.declared_samples())
            pair = recorder.frames()
        measured = delays(pair)[10:]
        if len(measured) >= 20 and measured.max() - measured.min() <= quantum:
            break
    assert len(measured) >= 20
    assert np.median(measured) <= 2 * quantum + RATE_HZ // 1000
    assert measured.max() - measured.min() <= quantum
    assert np.median(measured) == pytest.approx(np.median(declared), abs=2 * RATE_HZ // 1000)


def test_a_visit_of_another_quantum_leaves_the_delay_as_it_was(headless):
    with (
        Rig(headless, IdentityBackend()) as rig,
        Player(headless, noise(120)),
        PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder,
    ):

        def a_second_later() -> np.ndarray:
            begin = len(recorder.frames())
            recorder.wait(begin + RATE_HZ, timeout_s=PATIENCE_S)
            return recorder.frames()[begin:]

        for quantum in (64, 96, 1024, 64):
            before = np.median(delays(a_second_later()))
            force_quantum(headless, quantum)
            a_second_later()
            force_quantum(headless, 0)
            for _ in range(10):  # a busy machine misses cycles now and then
                after, declared = np.median(delays(a_second_later())), rig.declared_samples()
                if after <= before and declared <= before + RATE_HZ // 1000:
                    break
            assert after <= before
            assert declared <= before + RATE_HZ // 1000


def test_every_sample_of_speech_arrives_once_and_in_order(start_headless, speech):
    headless = start_headless(quantum=1024)
    said = speech[: 10 * RATE_HZ]
    with Rig(headless, IdentityBackend(), chunk_size=1024):
        for _ in range(5):  # a busy machine loses some now and then
            with PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder, Player(headless, said) as player:
                player.wait()
                recorder.wait(len(recorder.frames()) + RATE_HZ // 2, timeout_s=PATIENCE_S)
            pair = recorder.frames()
            start = np.flatnonzero(pair[:, 0])[0]
            delay = int(np.median(delays(pair)))
            heard = pair[start + delay :, 1]
            if np.array_equal(heard, pair[start : start + len(heard), 0]):
                break
    assert_array_equal(heard, pair[start : start + len(heard), 0])


def test_after_a_stall_the_delay_is_no_longer_than_it_was_and_the_loss_is_counted(start_headless):
    headless = start_headless(quantum=1024)
    backend = Stalling()
    with Rig(headless, backend, chunk_size=1024) as rig, Player(headless, noise(20)):
        with PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as recorder:
            recorder.wait(2 * RATE_HZ, timeout_s=PATIENCE_S)
            backend.go.clear()
            recorder.wait(3 * RATE_HZ, timeout_s=PATIENCE_S)
            overdue = rig.pipeline.get_metrics().buffer_health.overdue_samples
            backend.go.set()
            recorder.wait(6 * RATE_HZ, timeout_s=PATIENCE_S)
            pair = recorder.frames()[: 6 * RATE_HZ]
        health = rig.pipeline.get_metrics().buffer_health
    before, after = delays(pair[: 2 * RATE_HZ])[-5:], delays(pair[5 * RATE_HZ :])
    # A hiccup before the stall may have left a block more, which the stall then takes away.
    assert np.median(after) <= np.median(before) + 5 * RATE_HZ // 1000
    assert overdue > RATE_HZ // 2
    lost = health.dropped_samples + health.late_samples
    silent = np.count_nonzero(pair[2 * RATE_HZ : 5 * RATE_HZ, 1] == 0)
    assert lost == pytest.approx(silent, abs=4 * 1024)


class Failing(ConversionBackend):
    """Answers each chunk that is no silence with what the next of ``answers`` makes of it, once it is ``armed``."""

    def __init__(self, answers) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(np.negative))
        self.armed = False  # the pipeline measures the converter before the sound begins

    def initialize(self) -> None: ...

    def convert_chunk(self, audio_chunk, context=None):
        if not self.armed or not audio_chunk.any():
            return np.zeros_like(audio_chunk)
        return next(self._answers)(audio_chunk)

    def cleanup(self) -> None: ...


def explode(_):
    raise RuntimeError("boom")


@pytest.mark.parametrize(
    "answer",
    [explode, lambda chunk: chunk[:-1], lambda chunk: chunk * np.nan, lambda _: None],
    ids=["raises", "short", "nan", "nothing"],
)
def test_when_the_converter_fails_there_is_silence_and_then_the_converted_voice_again(start_headless, answer):
    headless = start_headless(quantum=1024)
    backend = Failing([answer] * 3)
    with Rig(headless, backend, chunk_size=1024) as rig, Player(headless, noise(6)):
        backend.armed = True
        pair = record_pair(headless, MICROPHONE_PORT, VOICE_PORT, seconds=3)
        assert rig.pipeline.get_metrics().fault is None
    assert not escaped(pair)
    said, heard = pair[-RATE_HZ:, 0], pair[-RATE_HZ:, 1]
    assert np.isfinite(delay_samples(said, -heard, WINDOW, longest=RATE_HZ // 5)).sum() >= 5


def escaped(pair: np.ndarray) -> bool:
    """Whether the real voice, as it was said, is anywhere in what was heard."""
    return bool(np.isfinite(delay_samples(pair[:, 0], pair[:, 1], WINDOW, longest=RATE_HZ)).any())


def test_when_the_sound_is_carried_no_more_it_is_told_and_all_is_begun_anew(start_headless, monkeypatch):
    headless = start_headless(quantum=1024)
    with Rig(headless, IdentityBackend(), chunk_size=1024) as rig:

        def fail_once(_):
            monkeypatch.undo()
            raise OSError("boom")

        monkeypatch.setattr(rig.pipeline, "process_input", fail_once)
        with PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT):
            rig.wait(lambda state: state.fault is not None and "ended unexpectedly" in state.fault.reason)
            rig.wait(lambda state: not state.fault)
        with Player(headless, noise(6)):
            assert record_pair(headless, MICROPHONE_PORT, VOICE_PORT, seconds=1)[:, 1].any()

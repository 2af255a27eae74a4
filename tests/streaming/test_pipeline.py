import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rwc_pw.audio.crossfade import FADE_SAMPLES
from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.backend import SilentBackend
from rwc_pw.errors import ConversionError, Fault, UnavailableError
from rwc_pw.streaming import (
    BufferConfig,
    ConversionBackend,
    ConversionConfig,
    IdentityBackend,
    PipelineMetrics,
    StreamingPipeline,
    converter_slot,
    create_backend,
    pipeline,
)
from rwc_pw.streaming.conversion_times import PATIENCE, TRIAL_CHUNKS, ConversionTimes
from rwc_pw.voices.builtin import BUILTIN_VOICES
from tests.patience import PATIENCE_S

CHUNK = 256
WARM_UP = (1 + TRIAL_CHUNKS) * CHUNK


def hum(start: int, count: int) -> Samples:
    return (0.5 * np.sin(np.arange(start, start + count) * 2 * np.pi / 400)).astype(np.float32)


class Probe(ConversionBackend):
    """Gives back its input ``gain`` times, and remembers what was asked of it."""

    def __init__(self, gain: float = 1.0, latency_samples: int = 0) -> None:
        self.gain = gain
        self.calls: list[str] = []
        self.adjusted: list[ConversionConfig] = []
        self.contexts: list[Samples | None] = []
        self.heard = np.zeros(0, np.float32)
        self.answer: Callable[[Samples], object] = lambda chunk: chunk * np.float32(self.gain)
        self._latency_samples = latency_samples

    @property
    def latency_samples(self) -> int:
        return self._latency_samples

    def initialize(self) -> None:
        self.calls.append("initialize")

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        self.contexts.append(context)
        self.heard = np.concatenate([self.heard, audio_chunk])
        return self.answer(audio_chunk)

    def adjust(self, config: ConversionConfig) -> bool:
        self.adjusted.append(config)
        return True

    def cleanup(self) -> None:
        self.calls.append("cleanup")


def broken(error: Exception) -> Callable[..., object]:
    def answer(*_: object) -> object:
        raise error

    return answer


class Untimed(ConversionTimes):
    """What is measured is different each time."""

    def add(self, time_s: float) -> None:
        pass


class Bench:
    """A pipeline to which a hum is spoken, block by block."""

    def __init__(self, backend: ConversionBackend, on_metrics: Callable[[PipelineMetrics], None] | None = None) -> None:
        self.pipeline = StreamingPipeline(backend, BufferConfig(CHUNK), on_metrics)
        self.pipeline.start()
        self.pipeline.times = Untimed(CHUNK)
        self.spoken = 0

    def speak(self, blocks: int = 1, size: int = CHUNK) -> Samples:
        heard = []
        for _ in range(blocks):
            self.pipeline.process_input(hum(self.spoken, size))
            self.spoken += size
            heard.append(self.pipeline.get_output(size, PATIENCE_S))
        return np.concatenate(heard)

    @property
    def error(self) -> str:
        fault = self.pipeline.get_metrics().fault
        return fault.reason if fault else ""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    """Makes benches that retry at once and stop at the end."""
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 0.0)
    benches = []

    def make(*args: object) -> Bench:
        benches.append(Bench(*args))
        return benches[-1]

    yield make
    for made in benches:
        made.pipeline.stop()


@pytest.mark.parametrize("size", [64, 256, 480, 1000])
def test_what_goes_in_comes_out_after_the_delay_it_tells(bench, size):
    it = bench(IdentityBackend())
    heard = it.speak(8, size)
    delay = round(it.pipeline.get_metrics().total_latency_ms * SAMPLE_RATE_HZ / 1000)
    assert delay == CHUNK - np.gcd(CHUNK, size)
    np.testing.assert_array_equal(heard, np.concatenate([np.zeros(delay), hum(0, 8 * size)])[: len(heard)])


@pytest.mark.parametrize("visited", [5, 6, 7, 8])
def test_after_a_visit_of_smaller_blocks_the_delay_is_what_it_was_and_what_is_skipped_is_counted(bench, visited):
    it = bench(IdentityBackend())
    it.speak(4)
    it.speak(visited, 64)
    assert it.pipeline.get_metrics().total_latency_ms == 192 / 48
    it.pipeline.change_block(CHUNK)
    it.speak(2)
    metrics = it.pipeline.get_metrics()
    assert (metrics.total_latency_ms, metrics.dropped_ms, metrics.late_ms) == (0.0, 192 / 48, 0.0)
    np.testing.assert_array_equal(it.speak(2), hum(it.spoken - 2 * CHUNK, 2 * CHUNK))


def test_after_a_change_of_blocks_the_converter_still_has_the_time_that_it_takes(bench, monkeypatch):
    it = bench(IdentityBackend())
    monkeypatch.setattr(it.pipeline.times, "delay_samples", {CHUNK: 100, 64: 292}.get)
    it.speak(2, 64)
    it.speak(2)
    for size in (CHUNK, 64, CHUNK):
        it.pipeline.change_block(size)
        it.speak(8, size)
        assert it.pipeline.get_metrics().total_latency_ms == it.pipeline.times.delay_samples(size) / 48


def test_the_algorithms_delay_is_part_of_the_latency(bench):
    it = bench(Probe(latency_samples=480))
    it.speak()
    assert it.pipeline.get_metrics().total_latency_ms == 10.0


def test_a_converter_that_takes_long_for_a_chunk_is_given_the_time(monkeypatch):
    it = StreamingPipeline(IdentityBackend(), BufferConfig(CHUNK))
    monkeypatch.setattr(it.times, "percentile_s", lambda *_: 0.004)
    it.start()
    it.process_input(hum(0, CHUNK))
    it.get_output(CHUNK, PATIENCE_S)
    it.stop()
    assert it.get_metrics().total_latency_ms == CHUNK / 48  # one block more


def test_the_time_for_a_chunk_is_measured_on_sound_that_no_gate_stops(bench):
    backend = Probe()
    bench(backend)
    assert (np.abs(backend.heard) == 1.0).all()
    assert len(backend.heard) == WARM_UP


def test_the_time_to_make_a_converter_ready_again_is_none_that_a_chunk_takes(bench):
    backend = Probe()
    it = bench(backend)
    it.pipeline.times = ConversionTimes(CHUNK)
    works, backend.answer = backend.answer, broken(ConversionError("no"))
    it.speak(2)
    backend.answer = works
    it.speak(4)
    it.pipeline.stop()
    assert it.pipeline.times.count == 3


def test_the_real_voice_ends_with_the_fade_however_long_a_chunk_is():
    chunk = 4096
    it = StreamingPipeline(IdentityBackend(), BufferConfig(chunk), times=Untimed(chunk))
    it.start()
    heard = []
    for backend in (IdentityBackend(), SilentBackend(), None):
        if backend:
            it.replace_backend(backend)
        it.process_input(np.ones(chunk, np.float32))
        heard.append(it.get_output(chunk, PATIENCE_S))
    it.stop()
    assert [np.count_nonzero(part) for part in heard[1:]] == [FADE_SAMPLES, 0]


FAILURES = {
    "it raises": (broken(ConversionError("the model is gone")), "the converter failed: the model is gone"),
    "it raises what nobody declared": (broken(ZeroDivisionError("by zero")), "the converter failed: by zero"),
    "it raises without a word": (broken(MemoryError()), "the converter failed: MemoryError"),
    "too short": (lambda chunk: chunk[1:], "the converter failed: it returned (255,) samples for (256,)"),
    "not mono": (lambda chunk: chunk[None], "the converter failed: it returned (1, 256) samples for (256,)"),
    "nothing": (lambda _: None, "the converter failed: it returned () samples for (256,)"),
    "not a number": (lambda chunk: chunk / np.float32(np.nan), "the converter failed: it returned numbers that"),
}


@pytest.mark.parametrize(("answer", "error"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_silence_and_says_why(bench, answer, error):
    backend = Probe()
    it = bench(backend)
    backend.answer = answer
    assert not it.speak(4).any()
    assert it.error.startswith(error)
    it.pipeline.stop()
    assert it.pipeline.get_metrics().chunks_processed == 4


def test_the_remedy_is_told_with_the_reason(bench):
    backend = Probe()
    it = bench(backend)
    backend.answer = broken(UnavailableError("ContentVec is missing.", "Run `rwc-pw setup`."))
    it.speak(2)
    expected = Fault("the converter failed: ContentVec is missing", "Run `rwc-pw setup`.")
    assert it.pipeline.get_metrics().fault == expected


def test_a_fault_is_no_longer_told_once_its_stream_has_ended_and_the_next_begins_anew_at_once(bench, monkeypatch):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    backend = Probe()
    it = bench(backend)
    works, backend.answer = backend.answer, broken(ConversionError("no"))
    it.speak(2)
    backend.answer = works
    it.pipeline.reset()
    assert it.error == ""
    assert it.speak(2).any()
    assert backend.calls == ["initialize", "initialize"]


def test_after_a_failure_the_converter_begins_anew_with_all_that_was_said_meanwhile(bench, monkeypatch):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    backend = Probe()
    it = bench(backend)
    it.speak(2)
    works, backend.answer = backend.answer, broken(ConversionError("no"))
    it.speak(3)
    assert len(backend.heard) == WARM_UP + 3 * CHUNK  # it is left in peace until its pause is over
    backend.answer = works
    it.pipeline._slot._retry_at_s = 0.0
    heard = it.speak(2)
    assert it.error == ""
    assert backend.calls == ["initialize", "initialize"]
    np.testing.assert_array_equal(backend.contexts[-2], hum(0, 5 * CHUNK))
    assert backend.contexts[-1] is None
    np.testing.assert_array_equal(heard[96:], hum(5 * CHUNK, 2 * CHUNK)[96:])


def test_the_pause_doubles_with_each_failure_and_begins_small_again(bench, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 0.1)
    backend = Probe()
    it = bench(backend)
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    works, pauses_s = backend.answer, []
    for answer in [*[broken(ConversionError("no"))] * 8, works, broken(ConversionError("no"))]:
        backend.answer = answer
        it.speak()
        pauses_s.append(round(it.pipeline._slot._retry_at_s - now_s[0], 3))
        now_s[0] += 60.0
    assert pauses_s[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert pauses_s[-1] == 0.1


def test_a_failure_does_not_click(bench):
    backend = Probe()
    it = bench(backend)
    works, heard = backend.answer, []
    for answer in (works, broken(ConversionError("no")), works):
        backend.answer = answer
        heard.append(it.speak(2))
    assert np.abs(np.diff(np.concatenate(heard))).max() < 0.02


def test_a_new_converter_takes_over_without_a_click_and_knows_the_past(bench):
    old, new = Probe(1.0), Probe(-1.0)
    it = bench(old)
    it.speak(3)
    it.pipeline.replace_backend(new)
    heard = it.speak(3)
    np.testing.assert_array_equal(new.contexts[0], hum(0, 3 * CHUNK))
    assert new.contexts[1:] == [None, None]
    assert old.calls == ["initialize", "cleanup"]
    assert len(old.heard) == WARM_UP + 4 * CHUNK  # one chunk more, to fade out
    assert np.abs(np.diff([*hum(3 * CHUNK - 1, 1), *heard])).max() < 0.02
    np.testing.assert_array_equal(heard[CHUNK:], -hum(4 * CHUNK, 2 * CHUNK))


@pytest.mark.parametrize(
    "answer", [broken(ConversionError("no")), lambda chunk: chunk[None]], ids=["raises", "not mono"]
)
def test_a_converter_that_fails_while_it_is_replaced_costs_its_chunk_and_no_more(bench, answer):
    old, new = Probe(), Probe()
    it = bench(old)
    it.speak(3)
    old.answer = answer
    it.pipeline.replace_backend(new)
    heard = it.speak(3)
    assert it.error == ""
    assert old.calls == ["initialize", "cleanup"]
    assert new.calls == []
    assert not heard[96:CHUNK].any()
    np.testing.assert_array_equal(heard[CHUNK + 96 :], hum(4 * CHUNK + 96, 2 * CHUNK - 96))


def test_a_converter_may_say_less_at_last_than_a_whole_chunk(bench, monkeypatch):
    old, new = Probe(), Probe(gain=-1.0)
    it = bench(old)
    it.speak(3)
    monkeypatch.setattr(old, "fade_out", lambda chunk: chunk[:100], raising=False)
    it.pipeline.replace_backend(new)
    heard = it.speak(3)
    assert len(old.heard) == WARM_UP + 3 * CHUNK
    assert np.abs(np.diff([*hum(3 * CHUNK - 1, 1), *heard])).max() < 0.02
    np.testing.assert_array_equal(heard[100:], -hum(3 * CHUNK + 100, 3 * CHUNK - 100))


def test_a_failed_converter_is_replaced_at_once(bench, monkeypatch):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    old, new = Probe(), Probe()
    it = bench(old)
    old.answer = broken(ConversionError("no"))
    it.speak(2)
    it.pipeline.replace_backend(new)
    it.speak()
    assert it.error == ""
    np.testing.assert_array_equal(new.contexts[0], hum(0, 2 * CHUNK))
    assert old.calls == ["initialize", "cleanup"]


def test_a_new_converter_that_fails_is_the_one_that_is_tried_again(bench):
    old, new = Probe(), Probe()
    it = bench(old)
    it.speak()
    works, new.answer = new.answer, broken(ConversionError("new"))
    it.pipeline.replace_backend(new)
    it.speak()
    assert it.error == "the converter failed: new"
    assert old.calls == ["initialize", "cleanup"]
    new.answer = works
    it.speak()
    assert it.error == ""
    assert new.calls == ["initialize"]


def test_settings_reach_the_converter_that_will_speak(bench):
    it = bench(IdentityBackend())
    wanted = ConversionConfig(gain_db=3.0)
    assert not it.pipeline.adjust(wanted)
    successor = Probe()
    it.pipeline.replace_backend(successor)
    assert it.pipeline.adjust(wanted)
    assert successor.adjusted == [wanted]


def test_while_nobody_listens_the_converter_that_is_replaced_is_given_back_at_once(bench):
    given_back = threading.Event()

    class First(Probe):
        def cleanup(self) -> None:
            given_back.set()

    first, second = First(), Probe()
    it = bench(first)
    first.answer = broken(ConversionError("no"))
    it.speak()
    it.pipeline.reset()
    it.pipeline.replace_backend(second)
    assert given_back.wait(PATIENCE_S)
    assert it.error == ""
    it.speak(2)
    np.testing.assert_array_equal(second.heard, hum(CHUNK, 2 * CHUNK))
    assert second.calls == []  # it was made ready by whoever handed it over


def test_a_converter_that_is_replaced_just_before_the_stream_ends_is_given_back_then(bench, monkeypatch):
    given_back, waits = threading.Event(), threading.Semaphore(0)
    first = Probe()
    it = bench(first)
    it.speak()
    wait = it.pipeline._sound._input_written.wait

    def tell_and_wait(timeout_s: float | None = None) -> bool:
        waits.release()
        return wait(timeout_s)

    monkeypatch.setattr(it.pipeline._sound._input_written, "wait", tell_and_wait)
    monkeypatch.setattr(first, "cleanup", given_back.set)
    it.pipeline.replace_backend(Probe())
    assert waits.acquire(timeout=PATIENCE_S)  # for the next chunk, which does not come
    assert not given_back.is_set()
    it.pipeline.reset()
    assert given_back.wait(PATIENCE_S)


def test_a_converter_that_cannot_be_tried_out_is_given_back():
    backend = Probe()
    backend.answer = broken(ConversionError("no"))
    with pytest.raises(ConversionError):
        StreamingPipeline(backend, BufferConfig(CHUNK)).start()
    assert backend.calls == ["initialize", "cleanup"]


def test_converters_that_never_spoke_are_given_back(bench):
    it = bench(Probe())
    it.speak()
    overtaken, last = Probe(), Probe()
    it.pipeline.replace_backend(overtaken)
    it.pipeline.replace_backend(last)
    assert (overtaken.calls, last.calls) == (["cleanup"], [])
    it.pipeline.stop()
    assert last.calls == ["cleanup"]


def test_after_a_reset_nothing_of_the_past_is_heard(bench):
    backend = Probe()
    it = bench(backend)
    it.speak(6, size=100)
    converted = len(backend.contexts)
    it.pipeline.reset()
    it.spoken = 0
    heard = it.speak(3, size=300)
    assert converted == WARM_UP // CHUNK + 2
    assert backend.contexts[converted] is not None
    assert len(backend.contexts[converted]) == 0
    delay = CHUNK - 4
    np.testing.assert_array_equal(heard, np.concatenate([np.zeros(delay), hum(0, 900)])[:900])


class Gate(Probe):
    """Lets a chunk through when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.answer = self._wait

    def _wait(self, chunk: Samples) -> Samples:
        self.arrived.set()
        assert self.go.wait(PATIENCE_S)
        return chunk

    def hold(self) -> None:
        self.arrived.clear()
        self.go.clear()


def test_what_is_converted_while_a_new_stream_begins_is_never_heard(bench):
    gate = Gate()
    it = bench(gate)
    gate.hold()
    it.pipeline.process_input(np.full(CHUNK, 0.9, np.float32))
    assert gate.arrived.wait(PATIENCE_S)
    it.pipeline.reset()
    gate.go.set()
    np.testing.assert_array_equal(it.speak(4), hum(0, 4 * CHUNK))


def test_after_a_reset_it_is_silent_whatever_was_under_way(bench):
    gate = Gate()
    it = bench(gate)
    it.speak(2)
    assert not it.pipeline.is_silent
    gate.hold()
    it.pipeline.process_input(hum(0, CHUNK))
    assert gate.arrived.wait(PATIENCE_S)
    it.pipeline.reset()
    gate.go.set()
    it.pipeline.stop()
    assert it.pipeline.is_silent


@pytest.mark.parametrize(
    "end",
    [
        lambda pipeline: pipeline.process_input(np.zeros(CHUNK, np.float32)),
        StreamingPipeline.reset,
        StreamingPipeline.stop,
    ],
    ids=["a pause", "a reset", "the end"],
)
def test_who_waits_for_silence_waits_until_nothing_is_to_be_heard(bench, end):
    it = bench(IdentityBackend())
    it.speak(2)
    waiting = threading.Thread(target=it.pipeline.wait_for_silence, args=(10 * PATIENCE_S,), daemon=True)
    waiting.start()
    it.speak(2)
    assert waiting.is_alive()
    end(it.pipeline)
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_what_is_late_is_silence_then_the_delay_is_what_it_was(bench):
    gate = Gate()
    it = bench(gate)
    it.speak(2)
    gate.hold()
    it.pipeline.process_input(hum(2 * CHUNK, CHUNK))
    assert not it.pipeline.get_output(CHUNK, timeout_s=0.0)[96:].any()
    assert it.pipeline.get_metrics().buffer_health.overdue_samples == CHUNK
    gate.go.set()
    it.spoken += CHUNK
    heard = it.speak(2)
    np.testing.assert_array_equal(heard[96:], hum(3 * CHUNK + 96, 2 * CHUNK - 96))
    assert it.pipeline.get_metrics().late_ms == CHUNK / 48
    assert it.pipeline.get_metrics().total_latency_ms == 0.0


@pytest.mark.parametrize("chunks", [1, 4], ids=["chunk by chunk", "several at once"])
def test_in_a_pause_after_sound_came_too_late_the_converter_is_given_the_time_that_it_takes(bench, monkeypatch, chunks):
    gate = Gate()
    it = bench(gate)
    it.speak(2)

    def pause() -> float:
        for _ in range(8):
            it.pipeline.process_input(np.zeros(chunks * CHUNK, np.float32))
            it.pipeline.get_output(chunks * CHUNK, PATIENCE_S)
        return it.pipeline.get_metrics().total_latency_ms

    taken, before_ms = [100], 0.0
    monkeypatch.setattr(it.pipeline.times, "delay_samples", lambda _: taken[0])
    assert pause() == before_ms  # nothing came too late
    for taken[0] in (100, 150):
        gate.hold()
        it.pipeline.process_input(hum(0, CHUNK))
        it.pipeline.get_output(CHUNK, timeout_s=0.0)
        gate.go.set()
        it.speak(2)
        assert it.pipeline.get_metrics().total_latency_ms == before_ms  # nobody is interrupted
        before_ms = pause()
        assert before_ms == taken[0] / 48
        spoken = it.spoken
        np.testing.assert_array_equal(it.speak(2)[taken[0] + 96 :], hum(spoken + 96, 2 * CHUNK - taken[0] - 96))
    taken[0] = 200
    assert pause() == before_ms  # what there is was enough


@pytest.mark.parametrize(("often", "lengthened"), [(True, 100), (False, 0)])
def test_where_sound_comes_too_late_again_and_again_no_pause_is_waited_for(bench, monkeypatch, often, lengthened):
    gate = Gate()
    it = bench(gate)
    it.speak(2)
    monkeypatch.setattr(it.pipeline.times, "delay_samples", lambda _: 100)
    monkeypatch.setattr(it.pipeline.times, "often_exceed", lambda delay, size: often and (delay, size) == (0, CHUNK))
    it.speak(2)
    assert it.pipeline.get_metrics().total_latency_ms == 0.0  # nothing came too late
    gate.hold()
    it.pipeline.process_input(hum(4 * CHUNK, CHUNK))
    it.pipeline.get_output(CHUNK, timeout_s=0.0)
    gate.go.set()
    it.spoken += CHUNK
    it.speak(2)
    assert it.pipeline.get_metrics().total_latency_ms == lengthened / 48
    spoken = it.spoken
    np.testing.assert_array_equal(it.speak(2), hum(spoken - lengthened, 2 * CHUNK))


def test_one_waits_for_most_of_what_the_block_lasts(bench, monkeypatch):
    gate = Gate()
    it = bench(gate)
    gate.hold()
    waited_s = []
    monkeypatch.setattr(it.pipeline._sound._output_written, "wait_for", lambda _, timeout_s: waited_s.append(timeout_s))
    it.pipeline.process_input(hum(0, CHUNK))
    it.pipeline.get_output(480)
    it.pipeline.get_output(480, 0.25)
    gate.go.set()
    assert waited_s == [PATIENCE * 0.01, 0.25]


def test_to_stop_gives_back_the_converter_once(bench):
    backend = Probe()
    it = bench(backend)
    it.speak()
    it.pipeline.stop()
    it.pipeline.stop()
    assert backend.calls == ["initialize", "cleanup"]


def test_who_waits_for_sound_is_released_by_the_stop(bench):
    gate = Gate()
    it = bench(gate)
    gate.hold()
    it.pipeline.process_input(hum(0, CHUNK))
    heard: list[Samples] = []
    waiting = threading.Thread(target=lambda: heard.append(it.pipeline.get_output(CHUNK, 60.0)))
    waiting.start()
    assert gate.arrived.wait(PATIENCE_S)
    stopping = threading.Thread(target=it.pipeline.stop)
    stopping.start()
    waiting.join(PATIENCE_S)
    assert not heard[0].any()
    gate.go.set()
    stopping.join(PATIENCE_S)


def test_a_converter_that_does_not_return_is_cleaned_up_all_the_same(bench, monkeypatch, caplog):
    monkeypatch.setattr(pipeline, "STOP_TIMEOUT_S", 0.01)
    gate = Gate()
    it = bench(gate)
    thread = it.pipeline._thread
    gate.hold()
    it.pipeline.process_input(hum(0, CHUNK))
    assert gate.arrived.wait(PATIENCE_S)
    it.pipeline.stop()
    assert "did not return" in caplog.text
    assert gate.calls == ["initialize", "cleanup"]  # ending what it works with is how it is made to return
    gate.go.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_the_error_of_initialize_is_the_callers():
    backend = Probe()
    backend.initialize = broken(ConversionError("no model"))
    it = StreamingPipeline(backend, BufferConfig(CHUNK))
    with pytest.raises(ConversionError, match="no model"):
        it.start()
    it.stop()


def test_metrics_are_told_each_interval(bench, monkeypatch):
    now_s, told = [1000.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])

    def takes_long(chunk: Samples) -> Samples:
        now_s[0] += 0.3
        return chunk

    backend = Probe()
    it = bench(backend, told.append)
    backend.answer = takes_long
    it.speak(5)
    backend.answer = broken(ConversionError("no"))
    it.speak(2)
    it.pipeline.stop()  # only then has the last chunk's callback returned
    assert [metrics.chunks_processed for metrics in told] == [1, 3, 5, 6]
    assert told[-1].fault  # of a failure at once
    assert pipeline.METRICS_INTERVAL_S == 0.5


def test_a_callback_that_raises_does_not_stop_the_sound(bench, monkeypatch, caplog):
    monkeypatch.setattr(pipeline, "METRICS_INTERVAL_S", 0.0)
    it = bench(IdentityBackend(), broken(RuntimeError("the loop is closed")))
    np.testing.assert_array_equal(it.speak(3), hum(0, 3 * CHUNK))
    assert "the loop is closed" in caplog.text


@pytest.mark.parametrize("shape", [(2, 256), (256, 1), ()])
def test_only_mono_is_taken(shape):
    it = StreamingPipeline(IdentityBackend(), BufferConfig(CHUNK))
    with pytest.raises(ValueError, match=r"expected mono samples of shape \(n,\)"):
        it.process_input(np.zeros(shape, np.float32))


def spoiled(chunk: Samples, value: float = np.nan) -> Samples:
    """``chunk`` with one sample that is none."""
    chunk = chunk.copy()
    chunk[100] = value
    return chunk


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_is_no_sound_is_silence_for_its_chunk_alone(bench, monkeypatch, caplog, value, is_replaced):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    first, second = Probe(), Probe()
    it = bench(first)
    it.speak(2)
    if is_replaced:
        it.pipeline.replace_backend(second)
    it.pipeline.process_input(spoiled(hum(0, CHUNK), value))
    heard = it.pipeline.get_output(CHUNK, PATIENCE_S)
    assert "microphone" in caplog.text
    assert is_replaced or "microphone" in it.error
    assert not heard[96:].any()
    np.testing.assert_array_equal(it.speak(2)[96:], hum(2 * CHUNK, 2 * CHUNK)[96:])
    assert it.error == ""
    assert "initialize" not in first.calls[1:] + second.calls


def test_no_converter_is_given_what_is_no_sound_also_not_after_it_has_failed(bench, monkeypatch):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    backend = Probe()
    it = bench(backend)
    it.pipeline.process_input(spoiled(hum(0, CHUNK)))
    it.pipeline.get_output(CHUNK, PATIENCE_S)
    works, backend.answer = backend.answer, broken(ConversionError("no"))
    it.speak(2)
    it.pipeline.process_input(spoiled(hum(0, CHUNK)))
    it.pipeline.get_output(CHUNK, PATIENCE_S)
    backend.answer = works
    it.pipeline._slot._retry_at_s = 0.0
    assert it.speak(2).any()
    given = [backend.heard, *(context for context in backend.contexts if context is not None)]
    assert np.abs(np.concatenate(given)).max() <= 1
    silence = np.zeros(CHUNK, np.float32)
    np.testing.assert_array_equal(backend.contexts[-2], np.concatenate([silence, hum(0, 2 * CHUNK), silence]))


@pytest.mark.parametrize("voice", BUILTIN_VOICES)
def test_a_built_in_voice_is_silent_for_that_chunk_alone(bench, monkeypatch, voice):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    it = bench(create_backend(ConversionConfig(voice=voice)))
    it.speak(20)
    it.pipeline.process_input(spoiled(hum(0, CHUNK)))
    it.pipeline.get_output(CHUNK, PATIENCE_S)
    assert all(it.speak().any() for _ in range(20))

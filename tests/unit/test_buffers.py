import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rwc_pw.streaming import BufferConfig, BufferManager, declick
from rwc_pw.streaming.backend import Samples

CHUNKS = st.integers(1, 40)
BLOCKS = st.integers(1, 60)
LENGTHS_MS = st.floats(0.1, 4.0)


def counted(start: int, count: int) -> Samples:
    """Samples that tell their place: input sample p is p + 1, and only silence is 0."""
    return np.arange(start + 1, start + count + 1, dtype=np.float32)


class TheLaw(RuleBasedStateMachine):
    """Output sample p is input sample p - delay, or silence; and every sample that is missing is counted."""

    @initialize(chunk=CHUNKS, input_ms=LENGTHS_MS, output_ms=LENGTHS_MS, held_back=st.integers(0, 100))
    def begin(self, chunk, input_ms, output_ms, held_back):
        self.no_fades = mock.patch.object(declick, "FADE_SAMPLES", 0)
        self.no_fades.start()
        self.buffers = BufferManager(BufferConfig(chunk, input_ms, output_ms))
        self.begin_timeline()
        self.hold_back(held_back)

    def begin_timeline(self):
        self.written = self.read = self.last_heard = self.heard = self.failed = 0
        self.converting = None
        health = self.buffers.get_buffer_health()
        self.lost_before = health.dropped_samples + health.late_samples

    @precondition(lambda self: self.read == 0)
    @rule(samples=st.integers(0, 100))
    def hold_back(self, samples):
        before = self.buffers.delay_samples
        self.buffers.hold_back(samples)
        assert self.buffers.delay_samples == before + samples

    @rule(count=st.integers(0, 300))
    def write(self, count):
        self.buffers.write_input(counted(self.written, count))
        self.written += count

    @precondition(lambda self: self.converting is None)
    @rule()
    def begin_chunk(self):
        self.converting = self.buffers.read_chunk_for_processing()

    @precondition(lambda self: self.converting is not None)
    @rule(fails=st.booleans())
    def end_chunk(self, fails):
        self.failed += fails * len(self.converting)
        self.buffers.write_output(None if fails else self.converting)
        self.converting = None

    @rule(size=st.integers(0, 200))
    def listen(self, size):
        sound = self.buffers.read_output(size)
        assert len(sound) == size
        places = np.flatnonzero(sound)
        inputs = sound[places].astype(int) - 1
        np.testing.assert_array_equal(inputs, self.read + places - self.buffers.delay_samples)
        assert (np.diff([self.last_heard, *(inputs + 1)]) > 0).all()
        self.last_heard = int(inputs[-1]) + 1 if len(inputs) else self.last_heard
        self.heard += len(inputs)
        self.read += size

    @rule()
    def reset(self):
        under_way = self.converting is not None
        self.buffers.reset()
        self.begin_timeline()
        if under_way:  # it comes back all the same, and belongs to nothing
            self.buffers.write_output(counted(10_000, self.buffers.config.chunk_size))

    @invariant()
    def nothing_is_due_that_cannot_come(self):
        if self.converting is None and self.buffers.get_buffer_health().input_samples < self.buffers.config.chunk_size:
            assert not self.buffers.is_due(1000)

    def teardown(self):
        if not hasattr(self, "buffers"):
            return
        if self.converting is not None:
            self.end_chunk(False)
        while (chunk := self.buffers.read_chunk_for_processing()) is not None:
            self.buffers.write_output(chunk)
            self.listen(self.buffers.get_buffer_health().output_samples)
        self.listen(1000)
        health = self.buffers.get_buffer_health()
        lost = health.dropped_samples + health.late_samples - self.lost_before
        assert self.written == self.heard + lost + self.failed + health.input_samples
        assert health.overdue_samples == health.output_samples == 0
        self.no_fades.stop()


TestTheLaw = TheLaw.TestCase
TestTheLaw.settings = settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True)


def convert(buffers: BufferManager, most: int = 1_000_000) -> None:
    """Bring at most so many chunks through a converter that changes nothing."""
    for _ in range(most):
        if (chunk := buffers.read_chunk_for_processing()) is None:
            return
        buffers.write_output(chunk)


def cycle(buffers: BufferManager, sound: Samples, converted_chunks: int = 1_000_000) -> Samples:
    """One block in, some chunks converted, one block out."""
    buffers.write_input(sound)
    convert(buffers, converted_chunks)
    return buffers.read_output(len(sound))


def hum(count: int) -> Samples:
    """Begins at 0 and is soft enough that only a click makes a step."""
    return (0.5 * np.sin(np.arange(count) * 2 * np.pi / 400)).astype(np.float32)


LARGEST_STEP = 0.5 * 2 * np.pi / 400 + 2.0 / declick.FADE_SAMPLES  # the hum's own, and the steepest fade


@settings(max_examples=40, deadline=None, derandomize=True)
@given(CHUNKS, st.lists(BLOCKS, min_size=1, max_size=60))
def test_where_nothing_is_lost_nothing_is_changed_however_the_sound_is_cut(chunk, blocks):
    buffers = BufferManager(BufferConfig(chunk))
    buffers.hold_back(chunk - 1)
    sound = hum(sum(blocks))
    heard = np.concatenate([cycle(buffers, block) for block in np.split(sound, np.cumsum(blocks))])
    assert buffers.delay_samples == chunk - 1
    np.testing.assert_array_equal(heard, np.concatenate([np.zeros(chunk - 1), sound])[: len(heard)])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(CHUNKS, BLOCKS, st.lists(st.integers(0, 4), max_size=30), st.floats(2.1, 6.0))
def test_after_any_stall_the_delay_is_what_it_was(chunk, block, converted_chunks, input_ms):
    buffers = BufferManager(BufferConfig(chunk, input_buffer_ms=input_ms, output_buffer_ms=50.0))
    buffers.hold_back(chunk - 1)
    calm = 2 + (buffers.config.capacity_samples(input_ms) + declick.FADE_SAMPLES) // block
    rhythm = [*converted_chunks, *[1_000_000] * (2 * calm)]
    sound = hum(block * len(rhythm))
    pieces = zip(np.split(sound, len(rhythm)), rhythm, strict=True)
    heard = np.concatenate([cycle(buffers, piece, chunks) for piece, chunks in pieces])
    assert buffers.delay_samples == chunk - 1
    tail = calm * block
    np.testing.assert_array_equal(heard[-tail:], sound[-tail - chunk + 1 : len(sound) - chunk + 1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    CHUNKS,
    st.lists(st.tuples(BLOCKS, st.integers(0, 4), st.integers(0, 60), st.booleans()), max_size=80),
    LENGTHS_MS,
    LENGTHS_MS,
    st.integers(0, 60),
)
def test_no_loss_clicks(chunk, steps, input_ms, output_ms, held_back):
    """Late chunks, failed ones, full buffers before and behind: silence, and other sound after it, but no step."""
    buffers = BufferManager(BufferConfig(chunk, input_ms, output_ms))
    buffers.hold_back(held_back)
    sound, heard = hum(80 * 60)[60:], [np.zeros(1)]
    for written, converted_chunks, read, fails in steps:
        buffers.write_input(sound[:written])
        sound = sound[written:]
        convert(buffers, converted_chunks)
        if fails and buffers.read_chunk_for_processing() is not None:
            buffers.write_output(None)
        heard.append(buffers.read_output(read))
    assert np.abs(np.diff(np.concatenate(heard))).max(initial=0) < LARGEST_STEP


def test_silence_becomes_silence_within_two_milliseconds_even_sample_by_sample():
    buffers = BufferManager(BufferConfig(100))
    cycle(buffers, np.full(300, 0.5, np.float32))
    buffers.write_input(np.full(200, 0.5, np.float32))
    gone = np.concatenate([buffers.read_output(1) for _ in range(200)])
    assert gone[0] == pytest.approx(0.5)
    assert not gone[declick.FADE_SAMPLES :].any()


def test_silence_held_back_comes_before_what_is_already_converted():
    """The converter may be done with the first chunk before anybody asks for it."""
    buffers = BufferManager(BufferConfig(100))
    buffers.write_input(hum(100))
    convert(buffers)
    buffers.hold_back(50)
    np.testing.assert_array_equal(buffers.read_output(150), [*np.zeros(50), *hum(100)])


def test_more_than_the_buffer_can_be_held_back():
    buffers = BufferManager(BufferConfig(10, output_buffer_ms=1.0))
    buffers.hold_back(1000)
    assert not cycle(buffers, hum(10)).any()
    assert buffers.delay_samples == 1000
    assert buffers.get_buffer_health().dropped_samples == 0


def test_what_is_late_is_counted_once_and_only_when_it_comes():
    buffers = BufferManager(BufferConfig(100))
    cycle(buffers, hum(300), converted_chunks=1)
    before = buffers.get_buffer_health()
    assert (before.overdue_samples, before.late_samples, before.dropped_samples) == (200, 0, 0)
    convert(buffers)
    after = buffers.get_buffer_health()
    assert (after.overdue_samples, after.late_samples, after.dropped_samples) == (0, 200, 0)


def test_a_full_input_drops_its_oldest_chunks_and_no_more_than_it_must():
    buffers = BufferManager(BufferConfig(100, input_buffer_ms=10.0))  # 480 samples
    buffers.write_input(hum(480))
    assert buffers.get_buffer_health().dropped_samples == 0
    buffers.write_input(hum(1))
    assert buffers.get_buffer_health().dropped_samples == 100
    assert buffers.get_buffer_health().input_samples == 381


def test_a_full_output_counts_the_sound_that_goes_and_not_the_silence():
    buffers = BufferManager(BufferConfig(100, output_buffer_ms=1.0))  # 200 samples
    buffers.write_input(hum(500))
    for chunk_becomes in (None, hum(100), hum(100), None, hum(100)):
        assert buffers.read_chunk_for_processing() is not None
        buffers.write_output(chunk_becomes)
    assert buffers.get_buffer_health().dropped_samples == 200
    assert buffers.get_buffer_health().output_fill == 1.0


def test_a_long_stall_costs_no_memory():
    buffers = BufferManager(BufferConfig(100))
    buffers.write_input(hum(100))
    buffers.read_chunk_for_processing()
    cycle(buffers, np.broadcast_to(np.float32(0.5), 1_000_000), converted_chunks=0)
    tracemalloc.start()
    buffers.write_output(None)
    convert(buffers)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100_000


def test_the_first_sound_of_a_timeline_does_not_click():
    buffers = BufferManager(BufferConfig(100))
    first = cycle(buffers, np.full(200, 0.5, np.float32))
    buffers.reset()
    assert np.abs(np.diff([0.0, *first])).max() <= 0.51 / declick.FADE_SAMPLES
    np.testing.assert_array_equal(cycle(buffers, np.full(200, 0.5, np.float32)), first)


def test_buffers_hold_two_chunks_however_short_they_are_told_to_be():
    assert BufferConfig(16384, 1.0).capacity_samples(1.0) == 32768
    assert BufferConfig(256).capacity_samples(100.0) == 4800


@pytest.mark.parametrize("wrong", [{"chunk_size": 0}, {"input_buffer_ms": 0.0}, {"output_buffer_ms": -1.0}])
def test_a_buffer_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        BufferConfig(**wrong)

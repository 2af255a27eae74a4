import math
import random
import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.audio import declick
from rwc_pw.audio.samples import Samples
from rwc_pw.streaming import BufferConfig, BufferManager

CHUNKS = st.integers(1, 40)
BLOCKS = st.integers(1, 60)
LENGTHS_MS = st.floats(0.1, 4.0)


def counted(start: int, count: int) -> Samples:
    """Samples that tell their place: input sample p is p + 1, and only silence is 0."""
    return np.arange(start + 1, start + count + 1, dtype=np.float32)


class Listener:
    """Does anything to the buffers in any order, and holds all that it hears against the law."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chunk = self.random.randint(1, 40)
        lengths_ms = self.random.uniform(0.1, 4.0), self.random.uniform(0.1, 4.0)
        self.buffers = BufferManager(BufferConfig(self.chunk, *lengths_ms))
        self.converting: Samples | None = None
        self.begin_timeline()

    def begin_timeline(self) -> None:
        self.written = self.read = self.last_heard = self.heard = self.failed = 0
        self.lost_before = self.lost()
        self.hold_back()

    def lost(self) -> int:
        health = self.buffers.get_buffer_health()
        return health.dropped_samples + health.late_samples

    def hold_back(self) -> None:
        before, held_back = self.buffers.delay_samples, self.random.randint(0, 60)
        self.buffers.hold_back(held_back)
        assert self.buffers.delay_samples == before + held_back

    def write(self) -> None:
        count = self.random.randint(0, 3 * self.chunk)
        self.buffers.write_input(counted(self.written, count))
        self.written += count

    def begin_chunk(self) -> None:
        if self.converting is None:
            self.converting = self.buffers.read_chunk_for_processing()
        if self.converting is None:
            assert not self.buffers.is_due(10_000), "one would wait for what cannot come"

    def end_chunk(self, may_fail: bool = True) -> None:
        if self.converting is None:
            return
        fails = may_fail and self.random.random() < 0.1
        self.failed += fails * self.chunk
        self.buffers.write_output(None if fails else self.converting)
        self.converting = None

    def listen(self) -> None:
        size = self.random.randint(0, 4 * self.chunk)
        sound = self.buffers.read_output(size)
        assert len(sound) == size
        places = np.flatnonzero(sound)
        inputs = sound[places].astype(int) - 1
        np.testing.assert_array_equal(inputs, self.read + places - self.buffers.delay_samples)
        assert (np.diff([self.last_heard, *(inputs + 1)]) > 0).all()
        self.last_heard = max([self.last_heard, *(inputs + 1)])
        self.heard += len(inputs)
        self.read += size

    def shorten(self) -> None:
        """The law holds for the shorter delay, and what is skipped is counted."""
        before, wanted = self.buffers.delay_samples, self.random.randint(0, 60)
        is_enough = self.buffers.shorten(wanted, self.random.randint(0, 2 * self.chunk))
        assert 0 <= before - self.buffers.delay_samples <= wanted
        assert is_enough is (before - self.buffers.delay_samples == wanted)

    def reset(self) -> None:
        under_way, self.converting = self.converting, None
        self.buffers.reset()
        self.begin_timeline()
        if under_way is not None:  # it comes back all the same, and belongs to nothing
            self.buffers.write_output(under_way)

    def settle(self) -> None:
        """Convert and hear all that is left; then every sample is accounted for."""
        while self.converting is not None or self.buffers.get_buffer_health().input_samples >= self.chunk:
            self.begin_chunk()
            self.end_chunk(may_fail=False)
            self.listen()
        while self.buffers.get_buffer_health().output_samples:
            self.listen()
        health = self.buffers.get_buffer_health()
        assert health.overdue_samples == 0
        assert self.written == self.heard + self.lost() - self.lost_before + self.failed + health.input_samples


@pytest.mark.parametrize("seed", range(60))
def test_each_sample_of_the_output_is_that_of_the_input_before_the_delay_and_what_is_missing_is_counted(seed):
    with mock.patch.object(declick, "BEND_SAMPLES", 0):
        it = Listener(seed)
        everyday = [it.write, it.begin_chunk, it.end_chunk, it.listen]
        for _ in range(60):
            it.random.choice(everyday)()
            if it.random.random() < 0.02:
                it.reset()
            if it.random.random() < 0.05:
                it.shorten()
        it.settle()


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


LARGEST_STEP = 0.5 * 2 * np.pi / 400 + 2.0 / declick.BEND_SAMPLES  # the hum's own, and the steepest fade


@settings(max_examples=40)
@given(CHUNKS, st.lists(BLOCKS, min_size=1, max_size=60))
def test_where_nothing_is_lost_nothing_is_changed_however_the_sound_is_cut(chunk, blocks):
    buffers = BufferManager(BufferConfig(chunk))
    buffers.hold_back(chunk - 1)
    sound = hum(sum(blocks))
    heard = np.concatenate([cycle(buffers, block) for block in np.split(sound, np.cumsum(blocks))])
    assert buffers.delay_samples == chunk - 1
    np.testing.assert_array_equal(heard, np.concatenate([np.zeros(chunk - 1), sound])[: len(heard)])


@settings(max_examples=40)
@given(CHUNKS, BLOCKS, st.lists(st.integers(0, 4), max_size=30), st.floats(2.1, 6.0))
def test_after_any_stall_the_delay_is_what_it_was(chunk, block, converted_chunks, input_ms):
    buffers = BufferManager(BufferConfig(chunk, input_buffer_ms=input_ms, output_buffer_ms=50.0))
    buffers.hold_back(chunk - 1)
    calm = 2 + (buffers.config.capacity_samples(input_ms) + declick.BEND_SAMPLES) // block
    rhythm = [*converted_chunks, *[1_000_000] * (2 * calm)]
    sound = hum(block * len(rhythm))
    pieces = zip(np.split(sound, len(rhythm)), rhythm, strict=True)
    heard = np.concatenate([cycle(buffers, piece, chunks) for piece, chunks in pieces])
    assert buffers.delay_samples == chunk - 1
    tail = calm * block
    np.testing.assert_array_equal(heard[-tail:], sound[-tail - chunk + 1 : len(sound) - chunk + 1])


@settings(max_examples=60)
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


@settings(max_examples=60)
@given(CHUNKS, BLOCKS, st.lists(BLOCKS, max_size=30))
def test_after_a_visit_of_other_blocks_the_delay_is_what_it_was_without_a_click(chunk, block, visit):
    """As when an app asks for a quantum of its own for a while."""
    wanted = chunk - math.gcd(chunk, block)  # while a chunk fills
    buffers = BufferManager(BufferConfig(chunk, output_buffer_ms=50.0))
    sizes = [block, *visit, *[block] * (3 + 2 * chunk)]
    heard, is_aligned = [np.zeros(1)], False
    for place, piece in enumerate(np.split(hum(sum(sizes)), np.cumsum(sizes)[:-1])):
        is_over = place > len(visit)
        buffers.write_input(piece)
        if is_over and not is_aligned:
            is_aligned = buffers.align(block)
        convert(buffers)
        is_short = is_aligned and buffers.shorten(max(0, buffers.delay_samples - wanted), block)
        heard.append(buffers.read_output(len(piece)))
    assert is_short
    assert buffers.delay_samples == wanted
    assert np.abs(np.diff(np.concatenate(heard))).max() < 2 * LARGEST_STEP


def test_what_is_skipped_so_that_blocks_end_with_chunks_does_not_click():
    buffers = BufferManager(BufferConfig(256))
    first, *blocks = np.split(hum(200 + 6 * 256), range(200, 200 + 6 * 256, 256))
    heard = [cycle(buffers, piece) for piece in (first, *blocks[:2])]
    buffers.write_input(blocks[2])
    assert buffers.align(256)
    convert(buffers)
    heard += [buffers.read_output(256), *(cycle(buffers, piece) for piece in blocks[3:])]
    assert buffers.delay_samples == 0
    assert buffers.get_buffer_health().dropped_samples == 200
    assert np.abs(np.diff(np.concatenate(heard))).max() < LARGEST_STEP


def test_input_that_is_too_short_to_skip_without_a_click_waits_for_more():
    buffers = BufferManager(BufferConfig(256))
    buffers.write_input(hum(200))
    assert not buffers.align(256)
    assert buffers.get_buffer_health().input_samples == 200


def test_silence_becomes_silence_within_two_milliseconds_even_sample_by_sample():
    buffers = BufferManager(BufferConfig(100))
    cycle(buffers, np.full(300, 0.5, np.float32))
    buffers.write_input(np.full(200, 0.5, np.float32))
    gone = np.concatenate([buffers.read_output(1) for _ in range(200)])
    assert gone[0] == pytest.approx(0.5)
    assert not gone[declick.BEND_SAMPLES :].any()


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


def test_what_is_being_converted_is_waited_for_and_lengthens_no_delay():
    buffers = BufferManager(BufferConfig(100))
    buffers.write_input(hum(100))
    assert buffers.read_chunk_for_processing() is not None
    assert buffers.is_due(100)
    buffers.read_output(100)
    assert not buffers.is_due(100)
    assert buffers.delay_samples == 0


def test_silence_that_is_held_back_is_not_waited_for():
    buffers = BufferManager(BufferConfig(100))
    buffers.hold_back(150)
    buffers.write_input(hum(100))
    assert not buffers.is_due(150)
    assert buffers.is_due(151)


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
    assert buffers.get_buffer_health().output_samples == 200


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
    assert np.abs(np.diff([0.0, *first])).max() <= 0.51 / declick.BEND_SAMPLES
    np.testing.assert_array_equal(cycle(buffers, np.full(200, 0.5, np.float32)), first)


def test_buffers_hold_two_chunks_however_short_they_are_told_to_be():
    assert BufferConfig(16384, 1.0).capacity_samples(1.0) == 32768
    assert BufferConfig(256).capacity_samples(100.0) == 4800


@pytest.mark.parametrize("wrong", [{"chunk_size": 0}, {"input_buffer_ms": 0.0}, {"output_buffer_ms": -1.0}])
def test_a_buffer_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        BufferConfig(**wrong)

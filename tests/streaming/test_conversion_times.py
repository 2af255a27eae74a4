import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.streaming import BufferConfig, BufferManager
from rwc_pw.streaming.conversion_times import MARGIN, PATIENCE, ConversionTimes

CHUNK = 4800  # 100 ms


def times(*milliseconds: float) -> ConversionTimes:
    it = ConversionTimes(CHUNK)
    for time_ms in milliseconds:
        it.add(time_ms / 1000)
    return it


def late_samples(chunk: int, size: int, converting: float, delay: int) -> float:
    """How much comes too late if conversions take ``converting`` samples; pure: time is counted in samples, too."""
    buffers = BufferManager(BufferConfig(chunk))
    buffers.hold_back(delay)
    ends: float | None = None  # of the conversion that is under way

    def convert(now: float, until: float) -> None:
        nonlocal ends
        while True:
            if ends is None:
                if buffers.read_chunk_for_processing() is None:
                    return
                ends = now + converting
            if ends > until:
                return
            buffers.write_output(np.ones(chunk, np.float32))
            now, ends = ends, None

    for arrives in range(0, 12 * chunk, size):
        convert(arrives, arrives)
        buffers.write_input(np.ones(size, np.float32))
        convert(arrives, arrives + PATIENCE * size)
        buffers.read_output(size)
    health = buffers.get_buffer_health()
    return health.late_samples + health.overdue_samples


def test_before_anything_is_measured_only_the_filling_of_a_chunk_takes_time():
    assert times().delay_samples(256) == CHUNK - 64
    assert times().real_time_factor == 0


def test_a_conversion_is_given_what_99_of_100_took_and_a_little_more():
    it = times(*[50] * 98, 60, 60)
    assert it.delay_samples(48) == CHUNK - 48 + math.ceil(MARGIN * 60 - PATIENCE) * 48


@settings(max_examples=50)
@given(unit=st.integers(16, 200), blocks=st.integers(1, 8), more=st.integers(0, 40), load=st.floats(0.001, 1))
def test_given_that_delay_nothing_is_late_and_given_a_block_less_something_is(unit, blocks, more, load):
    chunk, size = unit * (blocks + more), unit * blocks
    converting = load * (chunk // size * size)  # if it took longer, it might have to wait for the one before
    it = ConversionTimes(chunk)
    it.add(converting / SAMPLE_RATE_HZ / MARGIN)
    delay = it.delay_samples(size)
    assert late_samples(chunk, size, converting - 0.01, delay) == 0
    if delay >= chunk:
        assert late_samples(chunk, size, converting + 0.01, delay - size) > 0


def test_one_in_a_hundred_and_more_may_be_late():
    assert times(*[50] * 299, 90).delay_samples(480) == times(*[50] * 300).delay_samples(480)


def test_no_more_than_its_chunk_lasts():
    assert times(*[50] * 20, 700, 700).delay_samples(480) == CHUNK - 480 + CHUNK


@pytest.mark.parametrize(
    ("taken_ms", "often"),
    [
        ([50] * 40 + [59] * 10, True),
        ([50] * 40 + [57] * 10, False),
        ([50] * 49 + [1000], False),  # it stalled once
        ([59] * 50 + [50] * 50, False),  # long ago
    ],
)
def test_conversions_that_took_longer_than_they_were_given(taken_ms, often):
    given_58_ms = CHUNK - 480 + 55 * 48  # five blocks, and the one that is waited for
    assert times(*taken_ms).often_exceed(given_58_ms, size=480) == often


def test_the_load_is_told_of_the_last_ones():
    it = times(*[20] * 50, *[40] * 20)
    assert it.load(50, last=20) == pytest.approx(0.4)
    assert it.load(50, last=600) == pytest.approx(0.2)
    assert it.real_time_factor == pytest.approx(0.4)
    assert it.count == 70
    assert it.last_s == 0.04

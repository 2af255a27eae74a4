import pytest

from rwc_pw.engine.chunk_size import FEWEST, AdaptiveChunk, chunk_sizes, keeps_up
from rwc_pw.streaming.conversion_times import ConversionTimes

MIDDLE = 4800  # 100 ms


def spoken(seconds: float, load: float, chunk: int = MIDDLE) -> ConversionTimes:
    """Conversions that take so much of their chunks, for so long."""
    times = ConversionTimes(chunk)
    for _ in range(round(seconds * 48_000 / chunk)):
        times.add(load * chunk / 48_000)
    return times


def test_a_size_holds_where_99_of_100_leave_a_tenth_of_it_free():
    assert keeps_up(spoken(10, 0.75))
    assert not keeps_up(spoken(10, 0.85))
    times = spoken(9, 0.5)
    for _ in range(4):
        times.add(0.095)
    assert not keeps_up(times)


def test_too_much_load_takes_the_next_larger_size():
    assert AdaptiveChunk().better(spoken(30, 0.85), None) == 5760


def test_what_was_measured_while_another_voice_spoke_is_not_enough():
    times = spoken((FEWEST - 1) * 0.1, 0.85)
    assert AdaptiveChunk().better(times, None) is None
    times.add(0.085)
    assert AdaptiveChunk().better(times, None) == 5760


@pytest.mark.parametrize("load", [0.5, 0.75])
def test_what_suits_stays(load):
    assert AdaptiveChunk().better(spoken(500, load), None) is None


def test_little_load_takes_the_next_smaller_size_after_a_while():
    assert AdaptiveChunk().better(spoken(59, 0.4), None) is None
    assert AdaptiveChunk().better(spoken(60, 0.4), None) == 3840


def test_after_a_larger_one_a_smaller_one_is_tried_later():
    it = AdaptiveChunk()
    assert it.better(spoken(30, 0.85, 3840), None) == MIDDLE
    assert it.better(spoken(119, 0.4), None) is None
    assert it.better(spoken(120, 0.4), None) == 3840


def test_nothing_is_larger_than_the_largest_nor_smaller_than_the_smallest():
    assert AdaptiveChunk().better(spoken(100, 2.0, chunk_sizes(None)[-1]), None) is None
    assert AdaptiveChunk().better(spoken(100, 0.1, chunk_sizes(None)[0]), None) is None


def test_the_smallest_chunks_are_for_gpus():
    assert chunk_sizes(None) == chunk_sizes("cuda")[1:]
    assert AdaptiveChunk().better(spoken(60, 0.1, 1920), None) is None
    assert AdaptiveChunk().better(spoken(60, 0.1, 1920), "cuda") == 960

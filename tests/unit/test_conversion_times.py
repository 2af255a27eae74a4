import pytest

from rwc_pw.streaming.conversion_times import MARGIN, ConversionTimes

CHUNK = 4800  # 100 ms


def times(*milliseconds: float) -> ConversionTimes:
    it = ConversionTimes(CHUNK)
    for time_ms in milliseconds:
        it.add(time_ms / 1000)
    return it


def test_before_anything_is_measured_only_the_filling_of_a_chunk_takes_time():
    assert times().delay_samples(256) == CHUNK - 64
    assert times().real_time_factor == 0


def test_a_conversion_is_given_what_99_of_100_took_and_a_little_more():
    it = times(*[50] * 98, 60, 60)
    assert it.delay_samples(480) == pytest.approx(CHUNK - 480 + MARGIN * 60 * 48 - 240, abs=1)


def test_one_in_a_hundred_and_more_may_be_late():
    assert times(*[50] * 299, 90).delay_samples(480) == times(*[50] * 300).delay_samples(480)


def test_no_more_than_its_chunk_lasts():
    assert times(*[50] * 20, 700, 700).delay_samples(480) == CHUNK - 480 + CHUNK - 240


@pytest.mark.parametrize(
    ("taken_ms", "often"),
    [
        ([50] * 40 + [61] * 10, True),
        ([50] * 40 + [59] * 10, False),
        ([50] * 49 + [1000], False),  # it stalled once
        ([61] * 50 + [50] * 50, False),  # long ago
    ],
)
def test_conversions_that_took_longer_than_they_were_given(taken_ms, often):
    given_60_ms = CHUNK - 480 + 60 * 48 - 240
    assert times(*taken_ms).often_exceed(given_60_ms, size=480) == often


def test_the_load_is_told_of_the_last_ones():
    it = times(*[20] * 50, *[40] * 20)
    assert it.load(50, last=20) == pytest.approx(0.4)
    assert it.load(50, last=600) == pytest.approx(0.2)
    assert it.real_time_factor == pytest.approx(0.4)
    assert it.count == 70
    assert it.last_s == 0.04

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.effects.limiter import Limiter

CEILING = 10 ** (-1 / 20)
RELEASE_SAMPLES = 480


def a_limiter() -> Limiter:
    return Limiter(ceiling_db=-1.0, lookahead_ms=1.0, release_ms=10.0)


def bursts(levels: list[tuple[float, int]]) -> Samples:
    random = np.random.default_rng(0)
    return np.concatenate([random.uniform(-level, level, count) for level, count in levels]).astype(np.float32)


LEVELS = st.lists(st.tuples(st.floats(0.0, 8.0), st.integers(1, 200)), min_size=1, max_size=8)


def test_quiet_sound_is_only_delayed() -> None:
    sound = bursts([(0.8, 1000)])
    limiter = a_limiter()
    delay = limiter.latency_samples
    assert delay == 48
    np.testing.assert_array_equal(limiter.process(sound), np.concatenate((np.zeros(delay), sound[:-delay])))


@settings(max_examples=40)
@given(LEVELS)
def test_nothing_comes_out_above_the_ceiling(levels: list[tuple[float, int]]) -> None:
    assert np.abs(a_limiter().process(bursts([*levels, (0.0, 48)]))).max() <= CEILING


def test_the_gain_is_down_before_the_peak_and_never_jumps() -> None:
    sound = np.full(2000, 0.5, np.float32)
    sound[1000] = 4.0
    limited = a_limiter().process(sound)[48:]
    gain = limited / sound[: len(limited)]
    np.testing.assert_allclose(limited[1000], CEILING, rtol=1e-5)
    assert (gain[:952] == 1.0).all()
    assert (np.diff(gain[950:1001]) <= 0.0).all()
    assert np.abs(np.diff(gain)).max() <= 1 / 49


def test_the_gain_comes_back_within_the_release() -> None:
    sound = np.full(2000, 0.5, np.float32)
    sound[100] = 4.0
    limited = a_limiter().process(sound)[48:]
    assert limited[101 + 24 + RELEASE_SAMPLES // 4] < 0.5
    assert (limited[101 + 2 * 48 + RELEASE_SAMPLES :] == 0.5).all()


@settings(max_examples=40)
@given(LEVELS, st.lists(st.integers(0, 200), max_size=8))
def test_the_cuts_make_no_difference(levels: list[tuple[float, int]], chunks: list[int]) -> None:
    sound = bursts(levels)
    limiter = a_limiter()
    parts = [limiter.process(part) for part in np.split(sound, np.minimum(np.cumsum(chunks, dtype=int), len(sound)))]
    np.testing.assert_array_equal(np.concatenate(parts), a_limiter().process(sound))


def test_after_a_reset_nothing_is_left() -> None:
    limiter = a_limiter()
    limiter.process(np.full(100, 8.0, np.float32))
    limiter.reset()
    np.testing.assert_array_equal(limiter.process(np.full(100, 0.5, np.float32)), [0.0] * 48 + [0.5] * 52)

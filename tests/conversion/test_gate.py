import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.effects.gate import NoiseGate

LOUD, BETWEEN, QUIET = 0.1, 0.0224, 0.001  # -20, -33 and -60 dBFS


def a_gate() -> NoiseGate:
    """Opens at -30 dBFS, closes below -40; holds 48 samples, opens within 48 and closes within 96."""
    return NoiseGate(open_db=-30.0, close_db=-40.0, hold_ms=1.0, attack_ms=1.0, release_ms=2.0)


def steps(*levels: tuple[float, int]) -> Samples:
    return np.concatenate([np.full(count, level, np.float32) for level, count in levels])


def gains(*levels: tuple[float, int]) -> Samples:
    sound = steps(*levels)
    return a_gate().process(sound) / sound


def test_what_never_opens_is_exact_silence() -> None:
    assert not a_gate().process(steps((QUIET, 100), (BETWEEN, 500))).any()


def test_it_opens_on_the_first_loud_sample_in_a_straight_line() -> None:
    gain = gains((QUIET, 100), (LOUD, 100))
    assert not gain[:100].any()
    np.testing.assert_allclose(gain[100:], np.minimum(np.arange(1, 101) / 48, 1.0), rtol=1e-6)


def test_it_stays_open_on_what_would_not_open_it() -> None:
    assert (gains((LOUD, 48), (BETWEEN, 1000))[48:] == 1.0).all()


def test_it_closes_in_a_straight_line_after_the_hold() -> None:
    gain = gains((LOUD, 100), (QUIET, 300))[100:]
    assert (gain[:48] == 1.0).all()
    np.testing.assert_allclose(gain[48:], np.maximum(1 - np.arange(1, 253) / 96, 0.0), atol=1e-6)


def test_a_pause_shorter_than_the_hold_is_not_heard() -> None:
    assert (gains((LOUD, 48), (QUIET, 48), (LOUD, 10))[48:] == 1.0).all()


def test_negative_samples_open_it_too() -> None:
    assert a_gate().process(steps((-LOUD, 100)))[-1] == np.float32(-LOUD)


def test_off_means_untouched() -> None:
    quiet = steps((QUIET, 100))
    assert NoiseGate(open_db=None).process(quiet) is quiet


def test_after_a_reset_it_is_closed() -> None:
    gate = a_gate()
    gate.process(steps((LOUD, 100)))
    gate.reset()
    assert not gate.process(steps((BETWEEN, 10))).any()


def test_thresholds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="above"):
        NoiseGate(open_db=-50.0, close_db=-40.0)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from([LOUD, BETWEEN, QUIET, 0.0]), st.integers(1, 120)), min_size=1, max_size=12),
    st.lists(st.integers(0, 150), max_size=12),
)
def test_the_cuts_make_no_difference(levels: list[tuple[float, int]], chunks: list[int]) -> None:
    sound = steps(*levels)
    gate = a_gate()
    parts = [gate.process(part) for part in np.split(sound, np.minimum(np.cumsum(chunks, dtype=int), len(sound)))]
    np.testing.assert_array_equal(np.concatenate(parts), a_gate().process(sound))

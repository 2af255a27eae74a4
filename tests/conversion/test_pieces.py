import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rwc_pw.conversion.pieces import MARGIN_S, pieces

RATE_HZ = 1000


def cut(sound: np.ndarray, longest_s: float):
    return list(pieces(len(sound), RATE_HZ, longest_s, lambda start, end: sound[start:end]))


def test_a_recording_that_is_no_longer_is_one_piece() -> None:
    [piece] = cut(np.ones(10 * RATE_HZ, np.float32), 10)
    assert (piece.start, piece.end, piece.wide_start, piece.wide_end) == (0, 10_000, 0, 10_000)


def test_a_piece_ends_where_it_is_quietest_near_its_end() -> None:
    sound = np.ones(15 * RATE_HZ, np.float32)
    sound[5_000:5_100] = 0  # too early
    sound[9_500:9_540] = 0.1
    first, second = cut(sound, 10)
    assert 9_500 < first.end < 9_540
    assert first.end == second.start
    assert second.wide_start == first.end - MARGIN_S * RATE_HZ
    assert first.wide_end == first.end + MARGIN_S * RATE_HZ


@given(st.integers(1, 60_000), st.integers(1, 20))
def test_the_pieces_are_the_recording_and_none_is_too_long(frames: int, longest_s: int) -> None:
    found = cut(np.random.default_rng(frames).uniform(-1, 1, frames).astype(np.float32), longest_s)
    edges = [0, *(piece.end for piece in found)]
    assert edges == [*(piece.start for piece in found), frames]
    assert all(0 < piece.end - piece.start <= longest_s * RATE_HZ for piece in found)


def test_of_nothing_there_is_no_piece() -> None:
    assert cut(np.zeros(0, np.float32), 10) == []

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.pipewire.playout import MOST_BLOCKS, OBSERVATIONS, PlayoutQueue

BLOCK = 256


def a_queue(*observed: int) -> PlayoutQueue:
    queue = PlayoutQueue()
    queue.set_block(BLOCK)
    for length in observed:
        queue.observe(length)
    return queue


@pytest.mark.parametrize(
    ("observed", "queued", "correction"),
    [
        ([256] * 8, 256, 0),
        ([512] * 7, 512, 0),  # not yet sure
        ([512] * 8, 512, 256),
        ([1, 512, 512, 512, 512, 512, 512, 512, 512], 512, 256),  # the oldest is forgotten
        ([300] * 8, 300, 44),
        ([512, 256] * 4, 512, 0),  # jitter
        ([0] * 8, 0, -256),
        ([200] * 8, 200, -56),
        ([0, 256] * 4, 0, 0),  # jitter that its block covers
        ([768] * 8, 768, 256),  # never more than what is there to leave out
        ([], 768, 0),
        ([], 769, 256),  # more cannot be jitter
    ],
)
def test_what_is_left_out_or_put_before(observed, queued, correction):
    assert a_queue(*observed).correction(queued, BLOCK) == correction


def test_far_too_much_is_left_out_to_the_last_sample_of_the_block():
    assert a_queue().correction(100 * BLOCK, BLOCK) == BLOCK
    assert a_queue().correction(0, 10 * BLOCK) == 8 * BLOCK


@pytest.mark.parametrize("length", [0, 512, 2000])
def test_after_a_correction_it_looks_again_before_the_next(length):
    queue = a_queue(*[length] * OBSERVATIONS)
    assert queue.correction(length, BLOCK) != 0
    assert queue.correction(BLOCK, BLOCK) == 0
    assert queue.reserve_samples == BLOCK


def test_a_new_block_forgets_what_was_seen_with_the_old_one():
    queue = a_queue(*[512] * OBSERVATIONS)
    queue.set_block(1024)
    assert queue.reserve_samples == 1024
    assert queue.correction(512, 1024) == 0


def test_the_reserve_is_the_usual_one():
    assert a_queue(256, 256, 0, 512, 256).reserve_samples == 256
    assert a_queue(0, 256).reserve_samples == 0  # of two the shorter: nothing is claimed that was not seen


def play(queue: PlayoutQueue, hiccups: list[str]) -> tuple[list[int], list[int]]:
    """The reserve after each cycle, and each correction, for a player that takes one block a cycle."""
    queued, owed, reserves, corrections = BLOCK, 0, [], []
    for hiccup in hiccups:
        owed += {"lost": 0, "late": 1, "": 1, "stands": 1, "double": 2}[hiccup]
        if owed and hiccup != "late":
            corrections.append(queue.correction(queued, owed * BLOCK))
            queued += owed * BLOCK - corrections[-1]
            owed = 0
        if hiccup != "stands":
            queued -= min(queued, BLOCK)
        queue.observe(queued)
        reserves.append(queued)
    return reserves, corrections


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["", "", "", "lost", "late", "stands", "double"]), max_size=40))
def test_the_reserve_always_returns_to_one_block_and_stays(hiccups):
    calm = MOST_BLOCKS * (OBSERVATIONS + 1)
    reserves, corrections = play(a_queue(), hiccups + [""] * 2 * calm)
    assert reserves[-calm:] == [BLOCK] * calm
    assert corrections[-calm:] == [0] * calm


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["", "lost", "late", "stands", "double"]), max_size=60))
def test_the_queue_is_bounded_and_so_is_what_is_put_before(hiccups):
    reserves, corrections = play(a_queue(), hiccups)
    assert max(reserves, default=0) <= MOST_BLOCKS * BLOCK
    assert min(corrections, default=0) >= -BLOCK


def test_one_late_block_now_and_then_changes_nothing():
    hiccups = list(itertools.islice(itertools.cycle(["late", *[""] * 11]), 500))
    assert set(play(a_queue(), hiccups)[1]) == {0}

import pytest

from rwc_pw.pipewire.block_length import SURE_BLOCKS, BlockLength


def after(*lengths: int) -> BlockLength:
    block = BlockLength()
    for length in lengths:
        block.observe(length)
    return block


@pytest.mark.parametrize(
    ("lengths", "usual"),
    [
        ([256], 256),
        ([256, 512], 256),  # two blocks that arrived as one
        ([256] * 3 + [1024] * 3, 256),
        ([256] * 3 + [1024] * 4, 1024),
        ([256] * 100 + [1024] * 5, 1024),  # the oldest are forgotten
    ],
)
def test_the_usual_length_is_that_of_most(lengths, usual):
    assert after(*lengths).usual == usual


def changes(lengths: list[int]) -> list[int]:
    """The blocks, by number, with which the length has become another one."""
    block = BlockLength()
    return [number for number, length in enumerate(lengths) if block.observe(length)]


def test_the_first_length_of_a_stream_is_no_change():
    assert changes([256] * 100) == []


def test_another_length_is_told_once_as_soon_as_all_of_the_last_blocks_have_it():
    assert changes([256] * 20 + [1024] * 20) == [20 + SURE_BLOCKS - 1]
    assert changes([256] * 20 + [1024] * (SURE_BLOCKS - 1) + [256] * 20) == []


def test_the_way_back_is_a_change_too():
    assert changes([256] * 20 + [1024] * 20 + [256] * 20) == [20 + SURE_BLOCKS - 1, 40 + SURE_BLOCKS - 1]


def test_late_blocks_now_and_then_change_nothing():
    assert changes(([256] * 10 + [512]) * 20) == []


def test_before_the_first_length_is_sure_another_one_is_no_change():
    assert changes([256] * (SURE_BLOCKS - 1) + [1024] * 20) == []

from rwc_pw.pipewire.link_limit import MOST, WINDOW_S, LinkLimit

LINK, OTHER = (1, 2), (3, 4)


def test_a_link_that_does_not_last_is_made_ever_again_but_not_more_often_than_that():
    limit = LinkLimit()
    made_s = [at_s / 100 for at_s in range(3000) if limit.allow([LINK], [], at_s / 100)]
    assert made_s[: MOST + 1] == [0.0, 0.01, 0.02, 0.03, 0.04, WINDOW_S]
    assert len(made_s) == MOST * 30 / WINDOW_S
    assert limit.is_reached
    assert limit.allow([OTHER], [], 30.0) == [OTHER]


def test_one_that_lasts_is_counted_no_more():
    limit = LinkLimit()
    for _ in range(MOST):
        limit.allow([LINK], [], 0.0)
    assert limit.is_reached
    assert limit.allow([], [], WINDOW_S / 2) == []
    assert limit.is_reached
    assert limit.allow([], [], WINDOW_S) == []
    assert not limit.is_reached


def test_what_we_remove_ourselves_is_made_at_once_when_it_is_wanted_again():
    """As where an app starts and stops to listen, again and again."""
    limit = LinkLimit()
    for _ in range(10 * MOST):
        assert limit.allow([LINK], [], 0.0) == [LINK]
        assert limit.allow([], [LINK], 0.0) == []
    assert not limit.is_reached

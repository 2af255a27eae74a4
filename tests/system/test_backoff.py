from rwc_pw.system.backoff import Backoff


def test_each_pause_is_twice_the_one_before_up_to_the_longest_until_an_attempt_succeeds():
    backoff = Backoff(first_s=0.1, longest_s=1.0)
    assert [backoff.next_s() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next_s() == 0.1

"""The campaign's schedule comes from its seed, and its verdict from what was heard and told."""

import numpy as np
import pytest

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from tests.benchmarks.campaign.faults import FAULTS
from tests.benchmarks.campaign.real_voice import real_voice
from tests.benchmarks.campaign.schedule import SHARP, WHAT, Fault, draw
from tests.benchmarks.campaign.sharpness import converted
from tests.benchmarks.campaign.verdict import Done, Heard, Record, Verdict

VOICE = converted(real_voice(1.0), SHARP[0])[SAMPLE_RATE_HZ // 2 : SAMPLE_RATE_HZ // 2 + SAMPLE_RATE_HZ // 4]
FAULT = Fault("kill", "player", 0.5, at_once=False)


def test_a_seed_draws_the_same_faults_each_time_and_each_seed_its_own():
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_every_kind_of_fault_is_drawn_with_all_that_it_may_befall():
    drawn = [fault for seed in range(300) for fault in draw(seed)]
    assert {(kind, what) for kind, whats in WHAT.items() for what in whats} <= {(f.kind, f.what) for f in drawn}
    assert {fault.kind for fault in drawn} == set(WHAT) == set(FAULTS)


def heard(*pieces: tuple[float, str]) -> Heard:
    """An app that opens at 100 s and hears pieces, each for some seconds: "voice", "real", "silence" or "nothing"."""
    sounds = {"voice": VOICE, "real": real_voice(1.0), "silence": np.zeros(1)}
    sound, arrivals, now_s, count = [np.zeros(0)], [], 100.0, 0
    for seconds, what in pieces:
        for _ in range(round(seconds / 0.05)):
            now_s += 0.05
            if what != "nothing":
                count += SAMPLE_RATE_HZ // 20
                arrivals.append((now_s, count))
        if what != "nothing":
            sound.append(np.resize(sounds[what], round(seconds / 0.05) * (SAMPLE_RATE_HZ // 20)))
    return Heard(100.0, now_s, np.concatenate(sound).astype(np.float32), arrivals)


def verdict(*apps: Heard, told=(), faults=((102.0, 102.0),), unspoken=(), let_through=(), lost="") -> Verdict:
    done = [Done(FAULT, *times_s) for times_s in faults]
    statuses = [(at_s, {"state": state, "muted": False} if state else {}) for at_s, state in told]
    return Verdict(Record(list(apps), statuses, done, list(unspoken), list(let_through)), lost)


def longest_s(spells) -> float:
    return max((spell.seconds for spell in spells), default=0.0)


@pytest.mark.parametrize("silence", ["silence", "nothing"])
def test_a_recovery_lasts_from_the_end_of_the_fault_until_a_voice_is_heard(silence):
    found = verdict(heard((2.0, "voice"), (1.5, silence), (2.0, "voice")), faults=[(101.9, 102.5)])
    assert longest_s(found.recoveries) == pytest.approx(1.0, abs=0.03)


def test_what_is_heard_after_an_app_has_opened_is_a_recovery_too():
    assert longest_s(verdict(heard((1.0, "nothing"), (1.0, "voice"))).recoveries) == pytest.approx(1.0, abs=0.03)


def test_a_crackle_is_no_voice_and_sound_that_comes_in_pieces_no_silence():
    crackle = heard((2.0, "voice"), (1.0, "silence"), (0.05, "voice"), (1.0, "silence"), (2.0, "voice"))
    assert longest_s(verdict(crackle).recoveries) == pytest.approx(2.05, abs=0.03)
    pieces = heard((2.0, "voice"), *[(0.05, "nothing"), (0.05, "voice")] * 20, (2.0, "voice"))
    assert longest_s(verdict(pieces).recoveries) == 0


def test_while_nobody_speaks_silence_is_right():
    app = heard((2.0, "voice"), (3.0, "silence"), (2.0, "voice"))
    found = verdict(app, told=[(100.0, "running")], unspoken=[(101.9, 105.0)])
    assert longest_s(found.recoveries) == longest_s(found.lies) == 0


@pytest.mark.parametrize("state", ["running", "armed"])
def test_it_is_a_lie_that_all_is_well_while_silence_is_heard_also_during_a_fault(state):
    app = heard((2.0, "voice"), (4.0, "silence"), (2.0, "voice"))
    told = [(100.0, state), (104.5, "degraded"), (105.5, state)]
    assert longest_s(verdict(app, told=told, faults=[(102.0, 106.0)]).lies) == pytest.approx(2.5, abs=0.03)


@pytest.mark.parametrize("state", ["degraded", "off", None])
def test_other_states_are_no_lies(state):
    assert longest_s(verdict(heard((3.0, "silence")), told=[(100.0, state)]).lies) == 0


def test_the_real_voice_is_told_with_the_moment_of_the_fault_before_it():
    [spell] = verdict(heard((4.0, "voice"), (0.1, "real"), (1.0, "voice"))).real_voice
    assert spell.seconds == pytest.approx(0.1, abs=0.02)
    seconds, words, fault = spell.when.partition(" s after the begin of: ")
    assert words
    assert fault == str(FAULT)
    assert float(seconds) == pytest.approx(2.0, abs=0.03)


def test_every_app_is_looked_at():
    apps = heard((5.0, "voice")), heard((4.0, "voice"), (0.1, "real"), (0.9, "voice"))
    assert len(verdict(*apps).real_voice) == 1


def test_the_real_voice_that_was_asked_for_is_only_counted():
    app = heard((2.0, "voice"), (1.0, "real"), (2.0, "voice"))
    found = verdict(app, let_through=[(101.9, 103.5)])
    assert found.real_voice == []
    assert found.let_through_s == pytest.approx(1.0, abs=0.02)
    assert verdict(app, let_through=[(101.9, 102.5)]).real_voice


@pytest.mark.parametrize(("until_s", "times"), [(103.0, 0), (101.5, 1)])
def test_what_comes_while_nobody_speaks_was_kept_from_before(until_s, times):
    app = heard((2.0, "voice"), (2.0, "nothing"), (0.05, "real"), (1.0, "voice"))
    found = verdict(app, unspoken=[(102.5, 104.5)], let_through=[(101.0, until_s)])
    assert len(found.real_voice) == times


def test_what_is_broken_is_told_with_its_moment():
    app = heard((2.0, "voice"), (3.0, "silence"), (0.1, "real"), (2.0, "voice"))
    found = verdict(app, told=[(100.0, "armed")], faults=[(102.0, 102.5)])
    found.judge(2.0)
    real, silence, lie = found.broken
    assert real.startswith("the real voice for 0.")
    assert silence.startswith("silence for 2.5")
    assert lie.startswith("told as well, but silent for ")
    assert real.endswith(f"after the begin of: {FAULT}")


def test_where_the_session_itself_was_lost_only_the_real_voice_is_a_broken_promise():
    app = heard((2.0, "voice"), (3.0, "silence"), (0.1, "real"), (2.0, "voice"))
    found = verdict(app, told=[(100.0, "armed")], faults=[(102.0, 102.5)], lost="There is no default source.")
    found.judge(2.0)
    [real] = found.broken
    assert real.startswith("the real voice for ")


def test_where_all_promises_hold_nothing_is_broken():
    found = verdict(heard((2.0, "voice"), (1.5, "silence"), (2.0, "voice")), told=[(100.0, "running")])
    found.judge(2.0)
    assert found.broken == []

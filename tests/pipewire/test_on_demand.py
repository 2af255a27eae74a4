"""Nobody notices RWC Voice while nobody listens to it."""

from rwc_pw.pipewire.graph import Graph
from tests.patience import PATIENCE_S
from tests.servers.pulse_client import Listening, record
from tests.servers.session import are_at_rest, states
from tests.servers.sound import MICROPHONE_PORT, RATE_HZ, VOICE_PORT, PairRecorder, Player, tone


def test_when_nobody_listens_all_is_suspended_and_the_microphone_released(headless, program):
    program("enable")
    headless.wait_for(are_at_rest, timeout_s=PATIENCE_S)
    record(headless, "rwc_voice", 0.5)
    headless.wait_for(are_at_rest, timeout_s=PATIENCE_S)
    assert program.status()["state"] == "armed"
    assert program.status()["latency_ms"] is None


def test_while_somebody_listens_it_says_so(headless, program):
    program("enable")
    with program.watched() as watch:
        watch.until(state="armed")
        with Listening(headless, "rwc_voice"):
            assert watch.until(state="running")["listeners"] == ["parec"]
        watch.until(state="armed")


def test_one_listener_after_the_other_is_heard(headless, program):
    program("enable")
    for _ in range(4):  # pw-cat blocked on a pipe once kept the second from ever starting
        assert len(record(headless, "rwc_voice", 0.3))


def test_another_app_on_the_microphone_does_not_wake_us(headless, program):
    program("enable")
    with Player(headless, tone(200, 30)):  # the microphone runs
        record(headless, "rwc_voice", 0.5)
        found = headless.wait_for(
            lambda graph: all_but(graph, "headless_microphone") <= {"suspended", "idle"} and states(graph),
            timeout_s=PATIENCE_S,
        )
    assert found["headless_microphone"] == "running"


def all_but(graph: Graph, name: str) -> set[str]:
    return {state for other, state in states(graph).items() if other != name}


def test_an_app_that_stops_and_starts_again_at_once_is_heard(headless, program):
    program("enable")
    with Player(headless, tone(200, 60)), PairRecorder(headless, MICROPHONE_PORT, VOICE_PORT) as app:
        for _ in range(20):
            headless.run("pw-link", "--disconnect", VOICE_PORT, app.port("FR"))
            headless.run("pw-link", VOICE_PORT, app.port("FR"))
            assert is_heard(app)


def is_heard(app: PairRecorder) -> bool:
    """Whether the right channel carries anything within three seconds."""
    begin = len(app.frames())
    for tenths in range(1, 31):
        app.wait(begin + tenths * RATE_HZ // 10, timeout_s=PATIENCE_S)
        if app.frames()[begin:, 1].any():
            return True
    return False

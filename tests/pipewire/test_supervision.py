import pytest

from rwc_pw.channels.downmix import Downmix
from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire import argv
from rwc_pw.pipewire.flow import LOOK_S, Flow
from rwc_pw.pipewire.graph import Graph, Link, Node, Port
from rwc_pw.pipewire.idle import SUSPEND_AFTER_S
from rwc_pw.pipewire.supervision import (
    INTRUSION_TOLD_S,
    LINKS_REMOVED,
    LOOK_AGAIN_S,
    Circumstances,
    Decision,
    OwnStreams,
    Supervision,
)
from rwc_pw.pipewire.volumes import REST_S

OURS = {"node.link-group": "rwc-pw"}
VOICE = Node(1, "rwc_voice", "Audio/Source/Virtual", "idle", OURS)
MICROPHONE = Node(2, "microphone", "Audio/Source", "idle")
RECORDER = Node(3, "recorder", "Stream/Input/Audio", "suspended", OURS)
PLAYER = Node(4, "player", "Stream/Output/Audio", "suspended", OURS)
APP = Node(5, "app", "Stream/Input/Audio", "running")
PORTS = (
    Port(11, 1, "input_MONO", "in"),
    Port(12, 1, "capture_MONO", "out"),
    Port(21, 2, "capture_MONO", "out"),
    Port(31, 3, "input_MONO", "in"),
    Port(32, 3, "monitor_MONO", "out"),
    Port(41, 4, "output_MONO", "out"),
    Port(51, 5, "input_MONO", "in"),
)
LISTENS = Link(1, 12, 5, 51, "active")
RECORDS, PLAYS = Link(2, 21, 3, 31, "active"), Link(4, 41, 1, 11, "active")
STREAMS = OwnStreams("recorder", "player", 1)
WELL = Circumstances(server_fault=None)


class Bench:
    def __init__(self) -> None:
        self.supervision = Supervision("{ properties }", Downmix())
        self.supervision.begin_streams()

    def decide(
        self, *nodes: Node, links: tuple[Link, ...] = (), at_s: float = 100.0, circumstances: Circumstances = WELL
    ) -> Decision:
        session = Node(9, "", "", "")
        graph = Graph({node.id: node for node in (session, *nodes)}, PORTS, links, session_manager_ids=frozenset({9}))
        return self.supervision.decide(graph, STREAMS, circumstances, at_s)


@pytest.fixture
def bench() -> Bench:
    return Bench()


ALL = VOICE, MICROPHONE, RECORDER, PLAYER


def test_rwc_voice_is_created_once_and_again_for_new_streams_or_after_it_has_been_there(bench):
    creation = [argv.create_source("{ properties }")]
    assert bench.decide(MICROPHONE).commands == creation
    assert bench.decide(MICROPHONE).commands == []
    bench.supervision.begin_streams()
    assert bench.decide(MICROPHONE).commands == creation
    assert bench.decide(VOICE, MICROPHONE).commands == []
    assert bench.decide(MICROPHONE).commands == creation


def test_a_second_rwc_voice_is_suspended_then_destroyed_once(bench):
    second = Node(7, "rwc_voice", "Audio/Source/Virtual", "idle", OURS)
    suspended = Node(7, "rwc_voice", "Audio/Source/Virtual", "suspended", OURS)
    assert bench.decide(*ALL, second, links=(PLAYS,)).commands == [argv.suspend(7)]
    assert bench.decide(*ALL, suspended, links=(PLAYS,)).commands == [argv.destroy(7)]
    assert bench.decide(*ALL, suspended, links=(PLAYS,)).commands == []


def test_while_nobody_listens_only_the_player_is_linked(bench):
    decision = bench.decide(*ALL)
    assert decision.commands == [argv.link(41, 11)]
    assert not decision.is_to_flow
    assert decision.state.fault is None


def test_while_somebody_listens_sound_is_to_flow(bench):
    decision = bench.decide(*ALL, APP, links=(LISTENS,))
    assert decision.commands == [argv.link(21, 31), argv.link(41, 11)]
    assert decision.is_to_flow
    assert decision.state.listeners == ("app",)
    faulty = bench.decide(VOICE, RECORDER, PLAYER, APP, links=(LISTENS,))
    assert not faulty.is_to_flow
    assert "no microphone" in faulty.state.fault.reason


def test_the_flow_is_judged_anew_once_nobody_listens_or_it_cannot_flow(bench):
    def flow() -> None:
        for number in range(10):
            bench.supervision.flow.observe(Flow(number, number), number * LOOK_S)

    flow()
    assert bench.decide(*ALL, APP, links=(LISTENS,)).state.flows
    assert not bench.decide(*ALL).state.flows
    flow()
    assert not bench.decide(VOICE, RECORDER, PLAYER, APP, links=(LISTENS,)).state.flows


def test_streams_that_stay_idle_are_suspended(bench):
    idle = [Node(node.id, node.name, node.media_class, "idle", OURS) for node in (RECORDER, PLAYER)]
    first = bench.decide(VOICE, MICROPHONE, *idle, links=(PLAYS,))
    assert first.commands == []
    assert first.look_again_s == 100.0 + SUSPEND_AFTER_S
    later = bench.decide(VOICE, MICROPHONE, *idle, links=(PLAYS,), at_s=100.0 + SUSPEND_AFTER_S)
    assert later.commands == [argv.suspend(3), argv.suspend(4)]
    assert later.look_again_s is None


def test_a_stream_that_has_gone_or_more_channels_take_new_streams(bench):
    bench.decide(MICROPHONE, VOICE)
    assert not bench.supervision.has_streams
    bench.decide(*ALL)
    assert bench.supervision.has_streams
    with pytest.raises(UnavailableError, match="stream of ours was removed"):
        bench.decide(VOICE, MICROPHONE, PLAYER)
    pair = Node(6, "pair", "Audio/Source", "idle")
    ports = (Port(61, 6, "capture_FL", "out"), Port(62, 6, "capture_FR", "out", 1))
    graph = Graph({node.id: node for node in (*ALL, pair)}, (*PORTS, *ports))
    chosen = Circumstances(microphone="pair", server_fault=None)
    assert bench.supervision.channels(graph, chosen) == 2
    with pytest.raises(UnavailableError, match="more channels"):
        bench.supervision.decide(graph, STREAMS, chosen, 100.0)


def test_the_previous_microphone_is_kept_until_the_default_source_is_another(bench):
    first, better = MICROPHONE, Node(6, "better", "Audio/Source", "idle", {"priority.session": 2000})
    assert bench.decide(*ALL).state.microphone == "microphone"
    assert bench.decide(*ALL, better).state.microphone == "microphone"
    chosen = Circumstances(default_source="better", server_fault=None)
    assert bench.decide(VOICE, first, RECORDER, PLAYER, better, circumstances=chosen).state.microphone == "better"


def test_a_link_past_the_converter_is_removed_first_and_told_for_a_while(bench):
    past = Link(2, 21, 1, 11, "active")
    found = bench.decide(*ALL, links=(past, PLAYS))
    assert found.commands == [argv.unlink(21, 11)]
    assert "past the converter" in found.state.fault.reason
    assert found.look_again_s == 100.0 + INTRUSION_TOLD_S
    assert bench.decide(*ALL, links=(PLAYS,), at_s=101.0).state.fault == found.state.fault
    assert bench.decide(*ALL, links=(PLAYS,), at_s=100.0 + INTRUSION_TOLD_S).state.fault is None


def test_a_link_that_somebody_removes_each_time_is_told_and_looked_at_later(bench):
    for at_s in (100.0, 100.1, 100.2, 100.3, 100.4):
        decision = bench.decide(*ALL, at_s=at_s)
        assert decision.commands == [argv.link(41, 11)]
    assert decision.state.fault == LINKS_REMOVED
    assert decision.look_again_s == pytest.approx(100.4 + LOOK_AGAIN_S)
    assert bench.decide(*ALL, at_s=100.5).commands == []


def test_whether_what_was_set_right_is_so_is_looked_at(bench):
    muted = Node(3, "recorder", "Stream/Input/Audio", "suspended", OURS, muted=True)
    nodes = VOICE, MICROPHONE, muted, PLAYER
    decision = bench.decide(*nodes, links=(PLAYS,))
    assert decision.commands == [argv.unmute(3), argv.turn_up(3, 1)]
    assert decision.look_again_s == pytest.approx(100.0 + REST_S)
    between = bench.decide(*nodes, links=(PLAYS,), at_s=100.05)
    assert between.commands == []
    assert between.look_again_s == pytest.approx(100.0 + REST_S)


def test_what_pipewire_pulse_lacks_is_told(bench):
    assert "pipewire-pulse" in bench.decide(*ALL, circumstances=Circumstances()).state.fault.reason

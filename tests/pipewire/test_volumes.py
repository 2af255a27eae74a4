from dataclasses import replace

import pytest

from rwc_pw.names import LINK_GROUP
from rwc_pw.pipewire.graph import Graph, Link, Node, Port
from rwc_pw.pipewire.volumes import MADE_S, REST_S, RUN_S, VolumeKeeper, silence_in, turned_down

OURS = {"node.link-group": LINK_GROUP}
MICROPHONE = Node(1, "usb", "Audio/Source", "running", {"node.description": "Headset"})
SPEAKERS = Node(1, "speakers", "Audio/Sink", "running", {"node.description": "Speakers"})
RECORDER = Node(2, "rwc_pw.capture.1", "Stream/Input/Audio", "idle", {"node.description": "rwc-pw recorder", **OURS})
PLAYER = Node(3, "rwc_pw.playback.1", "Stream/Output/Audio", "idle", {"node.description": "rwc-pw player", **OURS})
VOICE = Node(4, "rwc_voice", "Audio/Source/Virtual", "idle", {"node.description": "RWC Voice", "object.serial": 4})
ZOOM = Node(5, "zoom", "Stream/Input/Audio", "running", {"application.name": "Zoom"})
SOMEBODY = Node(6, "music", "Stream/Output/Audio", "running", {"application.name": "Music"})
ALL = (MICROPHONE, RECORDER, PLAYER, VOICE, ZOOM, SOMEBODY)


def graph(*nodes: Node, has_ports: bool = True) -> Graph:
    """Everything is there, ``nodes`` as they are given; Zoom records from RWC Voice."""
    found = {node.id: node for node in (*ALL, *nodes)}
    ports = tuple(Port(10 + id, id, "MONO", "in") for id in found) if has_ports else ()
    return Graph(nodes=found, ports=ports, links=(Link(VOICE.id, 40, ZOOM.id, 50, "active"),))


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (MICROPHONE, "the microphone Headset"),
        (RECORDER, "the rwc-pw recorder"),
        (PLAYER, "the rwc-pw player"),
        (VOICE, "RWC Voice"),
        (ZOOM, "what Zoom records"),
    ],
)
def test_whatever_is_turned_down_on_the_way_is_told_with_a_remedy(node, name):
    for percent, is_silent in ((99, False), (10, False), (9, True), (0, True)):
        lower = replace(node, channel_percents=(percent,))
        microphone = lower if node is MICROPHONE else MICROPHONE
        [told] = turned_down(graph(lower), microphone)
        assert told.reason == f"the volume of {name} is {percent} %"
        assert told.remedy.startswith("Turn it up")
        assert silence_in(graph(lower), microphone) == (told if is_silent else None)
    louder = replace(node, channel_percents=(150,))
    assert turned_down(graph(louder), louder if node is MICROPHONE else MICROPHONE) == ()


@pytest.mark.parametrize("node", [RECORDER, PLAYER, VOICE, ZOOM])
def test_whatever_is_muted_on_the_way_is_told_with_a_remedy(node):
    told = silence_in(graph(replace(node, muted=True)), MICROPHONE)
    assert told is not None
    assert told.reason.endswith("is muted")
    assert told.remedy


@pytest.mark.parametrize("node", [SOMEBODY, SPEAKERS])
def test_what_others_hear_is_nothing_to_tell(node):
    quiet = graph(replace(node, muted=True, channel_percents=(0,)))
    assert silence_in(quiet, node) is None
    assert turned_down(quiet, node) == ()


def test_a_muted_microphone_is_told_elsewhere():
    muted = replace(MICROPHONE, muted=True)
    assert silence_in(graph(muted), muted) is None


def test_without_a_microphone_the_rest_is_told_all_the_same():
    assert turned_down(graph(replace(VOICE, channel_percents=(50,))), None)


def wrong(keeper: VolumeKeeper, seen: Graph, now_s: float) -> list[str]:
    return [node.name for node in keeper.wrong(seen, now_s)]


QUIET = graph(*(replace(node, channel_percents=(50,)) for node in ALL))


def test_what_is_ours_is_set_right_when_it_begins_and_left_alone_later():
    keeper = VolumeKeeper()
    ours = [RECORDER.name, PLAYER.name, VOICE.name]
    assert wrong(keeper, graph(*QUIET.nodes.values(), has_ports=False), 0.0) == []  # the session manager is yet to come
    assert wrong(keeper, QUIET, 5.0) == ours
    assert wrong(keeper, graph(), 5.01) == []
    assert wrong(keeper, QUIET, 5.0 + MADE_S) == []
    assert wrong(keeper, Graph(), 6.0) == []
    assert wrong(keeper, QUIET, 7.0) == ours


RUNNING = graph(*(replace(node, state="running") for node in ALL))
RUNNING_QUIETLY = graph(*(replace(node, state="running") for node in QUIET.nodes.values()))


def test_what_waits_until_a_node_runs_is_set_right_then():
    keeper = VolumeKeeper()
    ours = [RECORDER.name, PLAYER.name, VOICE.name]
    assert wrong(keeper, graph(), 0.0) == []
    assert wrong(keeper, RUNNING, 100.0) == []
    assert wrong(keeper, RUNNING_QUIETLY, 100.0 + RUN_S / 2) == ours
    assert wrong(keeper, RUNNING, 101.0) == []
    assert wrong(keeper, graph(), 102.0) == []
    assert wrong(keeper, RUNNING_QUIETLY, 103.0) == []  # it has run before


def test_what_somebody_has_turned_down_is_left_alone_when_it_runs():
    keeper = VolumeKeeper()
    wrong(keeper, graph(), 0.0)
    assert wrong(keeper, QUIET, 10.0) == []
    assert wrong(keeper, RUNNING_QUIETLY, 20.0) == []
    assert wrong(keeper, RUNNING_QUIETLY, 20.1) == []


def test_a_new_node_of_the_same_id_begins_anew():
    keeper = VolumeKeeper()
    wrong(keeper, graph(), 0.0)
    new = replace(VOICE, props={**VOICE.props, "object.serial": 9}, channel_percents=(50,))
    assert wrong(keeper, graph(new), 100.0) == [VOICE.name]


def test_one_channel_of_many_is_no_silence_but_begins_right_too():
    stereo = replace(RECORDER, channel_percents=(0, 100))
    assert turned_down(graph(stereo), MICROPHONE) == ()
    assert wrong(VolumeKeeper(), graph(stereo), 0.0) == [RECORDER.name]


def test_streams_are_unmuted_and_rwc_voice_is_not():
    muted = graph(*(replace(node, muted=True) for node in ALL))
    assert wrong(VolumeKeeper(), muted, 0.0) == [RECORDER.name, PLAYER.name]


def test_who_is_pinned_is_set_right_again_and_again_but_not_all_the_time():
    keeper = VolumeKeeper()
    wrong(keeper, graph(), 0.0)
    keeper.pinned = True
    assert wrong(keeper, QUIET, 10.0) == [VOICE.name]
    assert wrong(keeper, QUIET, 10.0 + REST_S / 2) == []
    assert wrong(keeper, QUIET, 10.0 + REST_S) == [VOICE.name]
    assert wrong(keeper, graph(replace(VOICE, channel_percents=(150,))), 20.0) == [VOICE.name]
    assert wrong(keeper, graph(replace(VOICE, muted=True)), 30.0) == []

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rwc_pw.names import LINK_GROUP
from rwc_pw.pipewire.graph import Graph, Link, Node, Port
from rwc_pw.pipewire.wiring import Wiring, channel_fault, fault_in, intrusion_in, plan_wiring


def source(id: int, name: str, priority: int = 0, media_class: str = "Audio/Source", **props: object) -> Node:
    return Node(id, name, media_class, "idle", {"priority.session": priority, **props})


def graph_of(*nodes: Node, ports: tuple[Port, ...] = (), links: tuple[Link, ...] = ()) -> Graph:
    return Graph(nodes={node.id: node for node in nodes}, ports=ports, links=links, session_manager_ids=frozenset({1}))


VOICE = source(10, "rwc_voice", 9999, "Audio/Source/Virtual", **{"node.link-group": LINK_GROUP})
SPEAKERS = Node(11, "speakers", "Audio/Sink", "running")
BUILT_IN = source(12, "built_in", 1000)
HEADSET = source(13, "headset", 2000)
APP = Node(17, "app", "Stream/Input/Audio", "running")
EVERYTHING = graph_of(VOICE, SPEAKERS, BUILT_IN, HEADSET, APP)
CAPTURE = Node(20, "our_capture", "Stream/Input/Audio", "running", {"node.link-group": LINK_GROUP})
PLAYBACK = Node(21, "our_playback", "Stream/Output/Audio", "running", {"node.link-group": LINK_GROUP})
PORTS = (
    Port(100, VOICE.id, "input_MONO", "in"),
    Port(101, VOICE.id, "capture_MONO", "out"),
    Port(110, SPEAKERS.id, "playback_FL", "in"),
    Port(111, SPEAKERS.id, "monitor_FL", "out"),
    Port(112, SPEAKERS.id, "monitor_FR", "out", 1),
    Port(120, BUILT_IN.id, "capture_FL", "out"),
    Port(121, BUILT_IN.id, "capture_FR", "out", 1),
    Port(130, HEADSET.id, "capture_MONO", "out"),
    Port(170, APP.id, "input_MONO", "in"),
    Port(200, CAPTURE.id, "input_MONO", "in"),
    Port(201, CAPTURE.id, "monitor_MONO", "out"),
    Port(210, PLAYBACK.id, "output_MONO", "out"),
)
NODES = (VOICE, SPEAKERS, BUILT_IN, HEADSET, APP, CAPTURE, PLAYBACK)


def linked(
    *pairs: tuple[int, int], ports: tuple[Port, ...] = PORTS, nodes: tuple[Node, ...] = NODES, heard: bool = True
) -> Graph:
    """The nodes with these ports linked; when ``heard``, the app listens, too."""
    owner = {port.id: port.node_id for port in ports}
    links = [Link(owner[out], out, owner[into], into, "active") for out, into in pairs]
    if heard and VOICE in nodes:
        links.append(Link(VOICE.id, 101, APP.id, 170, "active"))
    return graph_of(*nodes, ports=ports, links=tuple(links))


def plan(graph: Graph, microphone: Node | None = HEADSET, channels: Sequence[int] = range(64)) -> Wiring:
    return plan_wiring(graph, microphone, "our_capture", "our_playback", channels)


COMPLETE = ((130, 200), (210, 100))


@pytest.mark.parametrize(
    ("links", "create", "destroy"),
    [
        ((), COMPLETE, ()),
        (COMPLETE, (), ()),
        (COMPLETE[:1], COMPLETE[1:], ()),
        ((*COMPLETE, (210, 110)), (), ((210, 110),)),  # our voice in the speakers
        ((*COMPLETE, (120, 200)), (), ((120, 200),)),  # another source in our capture
        ((*COMPLETE, (111, 200)), (), ((111, 200),)),  # the speakers in our capture
        ((*COMPLETE, (101, 200)), (), ((101, 200),)),  # our voice in itself
        ((*COMPLETE, (210, 200)), (), ((210, 200),)),
        ((*COMPLETE, (201, 110)), (), ((201, 110),)),
        ((*COMPLETE, (130, 100)), (), ((130, 100),)),  # the real voice in RWC Voice
        ((*COMPLETE, (201, 100)), (), ((201, 100),)),
        ((*COMPLETE, (101, 170), (120, 170), (120, 110)), (), ()),  # what is not ours stays
    ],
)
def test_what_is_missing_is_made_and_what_must_not_be_is_removed(links, create, destroy):
    assert plan(linked(*links)) == Wiring(create, destroy)


@pytest.mark.parametrize(
    ("links", "told"),
    [
        (COMPLETE, None),
        ((*COMPLETE, (130, 170)), None),  # an app's own affair
        ((*COMPLETE, (130, 100)), "linked headset into RWC Voice"),
        ((*COMPLETE, (201, 170)), "linked app to what we record"),
        ((*COMPLETE, (201, 110)), "linked speakers to what we record"),
    ],
)
def test_who_links_the_real_voice_past_the_converter_is_told(links, told):
    fault = intrusion_in(linked(*links), "our_capture")
    assert fault is None if told is None else told in fault.reason


WIDE = (*PORTS, Port(203, CAPTURE.id, "input_AUX2", "in", 2), Port(202, CAPTURE.id, "input_AUX1", "in", 1))
"""Those of a recorder of three channels, in an order that says nothing."""


def test_every_channel_of_the_microphone_goes_where_it_belongs():
    assert plan(linked(COMPLETE[1], ports=WIDE), BUILT_IN) == Wiring(((120, 200), (121, 202)), ())
    assert plan(linked(COMPLETE[1], ports=WIDE), SPEAKERS) == Wiring(((111, 200), (112, 202)), ())
    assert plan(linked(COMPLETE[1], ports=WIDE), HEADSET) == Wiring(COMPLETE[:1], ())


def test_what_a_recorder_has_no_room_for_is_not_linked():
    assert plan(linked(COMPLETE[1]), BUILT_IN) == Wiring(((120, 200),), ())


def test_the_channel_that_is_likeliest_is_linked_first_and_the_player_next():
    assert plan(linked(ports=WIDE), BUILT_IN, (1, 0)).create == ((121, 202), (210, 100), (120, 200))


@pytest.mark.parametrize(("channels", "created"), [((1,), ((121, 202),)), ((0,), ((120, 200),)), ((5,), ())])
def test_of_the_channels_only_those_that_are_asked_for_are_linked(channels, created):
    assert plan(linked(COMPLETE[1], ports=WIDE), BUILT_IN, channels) == Wiring(created, ())


def test_what_is_linked_past_us_is_unlinked_before_anything_else():
    graph = linked(COMPLETE[1], (120, 200), (121, 202), (130, 100), ports=WIDE)
    assert plan(graph, None).destroy == ((130, 100), (120, 200), (121, 202))


def test_another_microphone_takes_the_place_of_the_one_before():
    assert plan(linked(*COMPLETE), BUILT_IN) == Wiring(((120, 200),), COMPLETE[:1])


@pytest.mark.parametrize(
    ("microphone", "asked", "told"),
    [
        (BUILT_IN, "auto", ""),
        (BUILT_IN, "mix", ""),
        (BUILT_IN, "2", ""),
        (BUILT_IN, "3", "the microphone built_in has 2 channels, and no channel 3"),
        (HEADSET, "2", "the microphone headset has one channel, and no channel 2"),
        (Node(18, "usb", "Audio/Source", "idle"), "2", ""),  # it has no ports yet
        (None, "2", ""),
    ],
)
def test_a_channel_that_the_microphone_has_not_is_told(microphone, asked, told):
    fault = channel_fault(linked(), microphone, asked)
    assert (fault.reason if fault else "") == told


def test_without_a_microphone_nothing_feeds_the_capture():
    assert plan(linked(*COMPLETE), None) == Wiring((), COMPLETE[:1])


def test_while_nobody_listens_the_microphone_is_not_linked():
    assert plan(linked(heard=False)) == Wiring(COMPLETE[1:], ())
    assert plan(linked(*COMPLETE, heard=False)) == Wiring((), COMPLETE[:1])


@pytest.mark.parametrize("missing", [VOICE, CAPTURE, PLAYBACK])
def test_what_is_not_there_yet_is_not_linked(missing):
    nodes = tuple(node for node in NODES if node != missing)
    ports = tuple(port for port in PORTS if port.node_id != missing.id)
    wiring = plan(linked(nodes=nodes, ports=ports))
    expected = {VOICE.id: (), CAPTURE.id: COMPLETE[1:], PLAYBACK.id: COMPLETE[:1]}
    assert wiring.create == expected[missing.id]
    assert wiring.destroy == ()


def test_a_node_without_ports_waits_for_them():
    assert plan(linked(ports=tuple(port for port in PORTS if port.id not in (100, 130)))) == Wiring((), ())


def test_of_two_streams_of_one_name_the_newer_is_fed_and_the_older_cut_off():
    older = Node(19, "our_playback", "Stream/Output/Audio", "running")
    graph = linked(COMPLETE[0], (190, 100), nodes=(*NODES, older), ports=(*PORTS, Port(190, 19, "output_MONO", "out")))
    assert plan(graph) == Wiring(COMPLETE[1:], ((190, 100),))


@pytest.mark.parametrize(
    ("graph", "microphone", "wanted", "has_streams", "told"),
    [
        (graph_of(HEADSET), HEADSET, "", True, "no RWC Voice"),
        (EVERYTHING, HEADSET, "", False, "our streams"),
        (replace(EVERYTHING, session_manager_ids=frozenset()), HEADSET, "", True, "no session manager"),
        (EVERYTHING, Node(18, "usb", "Audio/Source", "error"), "", True, "usb cannot be opened"),
        (EVERYTHING, Node(18, "usb", "Audio/Source", "idle", muted=True), "", True, "usb is muted"),
        (EVERYTHING, None, "usb", True, "usb is not connected"),
        (EVERYTHING, None, "", True, "no microphone"),
    ],
)
def test_why_no_sound_can_flow(graph, microphone, wanted, has_streams, told):
    assert told in fault_in(graph, microphone, wanted, has_streams).reason


@pytest.mark.parametrize("microphone", [HEADSET, Node(18, "speakers", "Audio/Sink", "idle", muted=True)])
def test_with_a_microphone_and_all_that_is_ours_sound_can_flow(microphone):
    assert fault_in(EVERYTHING, microphone, microphone.name, True) is None

import pytest

from rwc_pw.pipewire.displaced import LINKS_FIRST_S, DisplacedApps
from rwc_pw.pipewire.graph import Graph, Link, Node

VOICE = Node(1, "rwc_voice", "Audio/Source/Virtual", "running", {"object.serial": 1})
MICROPHONE = Node(2, "microphone", "Audio/Source", "running", {"object.serial": 2})
ZOOM = Node(3, "zoom", "Stream/Input/Audio", "running", {"object.serial": 3, "application.name": "Zoom"})
ANOTHER = Node(3, "other", "Stream/Input/Audio", "running", {"object.serial": 4})


def graph(*nodes: Node, recorded: Node | None = None) -> Graph:
    links = (Link(recorded.id, 10, ZOOM.id, 11, "active"),) if recorded else ()
    return Graph(nodes={node.id: node for node in nodes}, links=links)


HEARD = graph(VOICE, MICROPHONE, ZOOM, recorded=VOICE)
LOST = graph(MICROPHONE, ZOOM, recorded=MICROPHONE)
BACK = graph(VOICE, MICROPHONE, ZOOM, recorded=MICROPHONE)


def observe(apps: DisplacedApps, *seen: Graph) -> list[list[Node]]:
    """Who is moved back after each graph, all at the same moment."""
    return [apps.observe(graph, 0.0) for graph in seen]


def test_who_lost_rwc_voice_is_moved_back():
    apps = DisplacedApps()
    assert observe(apps, HEARD, LOST, LOST, BACK, BACK) == [[], [], [], [ZOOM], []]
    assert "recorded by Zoom" in apps.fault(BACK).reason
    assert apps.are_to_be_moved
    assert observe(apps, HEARD) == [[]]
    assert apps.fault(HEARD) is None
    assert not apps.are_to_be_moved
    assert observe(apps, LOST, BACK) == [[], [ZOOM]]


def test_who_is_not_back_is_moved_again_until_that_must_be_meant():
    apps = DisplacedApps()
    observe(apps, HEARD, LOST)
    moved_s = [now_s for now_s in range(60) if apps.observe(BACK, float(now_s))]
    assert moved_s == [0, 1, 3, 7]
    assert not apps.are_to_be_moved
    assert "recorded by Zoom" in apps.fault(BACK).reason


def test_who_chooses_a_microphone_while_rwc_voice_is_there_is_left_alone():
    apps = DisplacedApps()
    assert observe(apps, HEARD, BACK, BACK) == [[], [], []]
    assert apps.fault(BACK) is None


@pytest.mark.parametrize("first", [graph(VOICE, MICROPHONE, ZOOM), BACK], ids=["unlinked", "linked to a microphone"])
def test_who_lost_the_link_a_moment_before_rwc_voice_went_is_moved_back(first):
    apps = DisplacedApps()
    assert observe(apps, HEARD, first, LOST, BACK) == [[], [], [], [ZOOM]]
    apps = DisplacedApps()
    apps.observe(HEARD, 0.0)
    apps.observe(first, 10.0)
    apps.observe(LOST, 10.0 + LINKS_FIRST_S + 0.1)
    assert not apps.are_to_be_moved


def test_who_lost_an_rwc_voice_that_has_been_replaced_is_moved_to_the_new_one():
    another = Node(1, "rwc_voice", "Audio/Source/Virtual", "suspended", {"object.serial": 9})
    apps = DisplacedApps()
    assert observe(apps, HEARD, graph(another, MICROPHONE, ZOOM, recorded=MICROPHONE)) == [[], [ZOOM]]


def test_who_has_gone_or_hears_nothing_is_not_told():
    apps = DisplacedApps()
    observe(apps, HEARD, graph(MICROPHONE, ZOOM))
    assert apps.fault(graph(MICROPHONE, ZOOM)) is None
    assert observe(apps, graph(VOICE, MICROPHONE)) == [[]]
    assert apps.fault(LOST) is None


def test_an_id_that_is_used_again_is_another_app():
    apps = DisplacedApps()
    assert observe(apps, HEARD, LOST, graph(VOICE, MICROPHONE, ANOTHER)) == [[], [], []]

from rwc_pw.pipewire.displaced import DisplacedApps
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


def test_who_lost_rwc_voice_is_moved_back_once():
    apps = DisplacedApps()
    assert [apps.observe(seen) for seen in (HEARD, LOST, LOST, BACK, BACK)] == [[], [], [], [ZOOM], []]
    assert "recorded by Zoom" in apps.fault(BACK).reason
    assert apps.observe(HEARD) == []
    assert apps.fault(HEARD) is None
    assert [apps.observe(seen) for seen in (LOST, BACK)] == [[], [ZOOM]]


def test_who_chooses_a_microphone_while_rwc_voice_is_there_is_left_alone():
    apps = DisplacedApps()
    assert [apps.observe(seen) for seen in (HEARD, BACK, BACK)] == [[], [], []]
    assert apps.fault(BACK) is None


def test_who_has_gone_or_hears_nothing_is_not_told():
    apps = DisplacedApps()
    for seen in (HEARD, graph(MICROPHONE, ZOOM)):
        apps.observe(seen)
    assert apps.fault(graph(MICROPHONE, ZOOM)) is None
    assert apps.observe(graph(VOICE, MICROPHONE)) == []
    assert apps.fault(LOST) is None


def test_an_id_that_is_used_again_is_another_app():
    apps = DisplacedApps()
    for seen in (HEARD, LOST):
        apps.observe(seen)
    assert apps.observe(graph(VOICE, MICROPHONE, ANOTHER)) == []

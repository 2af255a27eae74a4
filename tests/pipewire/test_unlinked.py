import pytest

from rwc_pw.pipewire.graph import Graph, Link, Node
from rwc_pw.pipewire.unlinked import PATIENCE_S, UnlinkedApps

VOICE = Node(1, "rwc_voice", "Audio/Source/Virtual", "running", {"object.serial": 101})


def app(target: object = "rwc_voice", *, media_class: str = "Stream/Input/Audio", autoconnect: bool = True) -> Node:
    props = {"object.serial": 103, "node.autoconnect": autoconnect, "application.name": "Zoom"}
    return Node(3, "zoom", media_class, "idle", props | ({"target.object": target} if target else {}))


def graph(*nodes: Node, linked: bool = False) -> Graph:
    links = (Link(VOICE.id, 10, 3, 11, "active"),) if linked else ()
    return Graph(nodes={node.id: node for node in nodes}, links=links)


def told(seen: Graph, default_source: str = "microphone") -> str:
    """What is told of a graph that stays as it is."""
    apps = UnlinkedApps()
    assert apps.observe(seen, default_source, 0.0) is None
    fault = apps.observe(seen, default_source, PATIENCE_S)
    assert apps.are_any or fault is None
    return fault.reason if fault else ""


@pytest.mark.parametrize("target", ["rwc_voice", 101])
def test_who_asks_for_rwc_voice_and_is_not_linked_is_told(target):
    assert "does not link RWC Voice to Zoom" in told(graph(VOICE, app(target)))


def test_who_asks_for_nothing_asks_for_the_default():
    assert "Zoom" in told(graph(VOICE, app(None)), "rwc_voice")
    assert told(graph(VOICE, app(None))) == ""


@pytest.mark.parametrize(
    "seen",
    [
        graph(VOICE, app(), linked=True),
        graph(VOICE, app("microphone")),
        graph(VOICE, app(media_class="Stream/Output/Audio")),
        graph(VOICE, app(autoconnect=False)),  # as our own streams, and what a patchbay links
        graph(app()),  # RWC Voice is missing, which is another fault
    ],
)
def test_nobody_else_is(seen):
    assert told(seen) == ""


def test_who_is_linked_or_has_gone_waits_anew():
    apps = UnlinkedApps()
    for between in (graph(VOICE, app(), linked=True), graph(VOICE)):
        apps.observe(graph(VOICE, app()), "", 0.0)
        apps.observe(between, "", PATIENCE_S)
        assert not apps.are_any
        assert apps.observe(graph(VOICE, app()), "", PATIENCE_S) is None

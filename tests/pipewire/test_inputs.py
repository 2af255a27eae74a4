import pytest

from rwc_pw.errors import UsageError
from rwc_pw.names import LINK_GROUP
from rwc_pw.pipewire.graph import Graph, Node
from rwc_pw.pipewire.inputs import choose_microphone, input_name, not_there


def source(id: int, name: str, priority: int = 0, media_class: str = "Audio/Source", **props: object) -> Node:
    return Node(id, name, media_class, "idle", {"priority.session": priority, **props})


def graph_of(*nodes: Node) -> Graph:
    return Graph(nodes={node.id: node for node in nodes})


VOICE = source(10, "rwc_voice", 9999, "Audio/Source/Virtual", **{"node.link-group": LINK_GROUP})
SPEAKERS = Node(11, "speakers", "Audio/Sink", "running", {"node.description": "Loud Speakers"})
BUILT_IN = source(12, "built_in", 1000, **{"node.description": "Built-in Audio Analog Stereo"})
HEADSET = source(13, "headset", 2000, **{"node.description": "Jabra Evolve2"})
SPARE = source(14, "spare", 2000, **{"node.description": "Jabra Evolve2"})
VIRTUAL = source(15, "virtual", 5000, "Audio/Source/Virtual")
OWN_STREAM = source(16, "capture", 9999, "Audio/Source", **{"node.link-group": LINK_GROUP})
APP = Node(17, "app", "Stream/Input/Audio", "running")
PHONE = source(18, "phone_mic", 9999, "Audio/Duplex", **{"node.description": "Phone Mic&Sink"})
INTERNAL = source(19, "bluez_internal", 9999, "Audio/Source/Internal")
EVERYTHING = graph_of(VOICE, SPEAKERS, SPARE, BUILT_IN, HEADSET, VIRTUAL, OWN_STREAM, APP, PHONE, INTERNAL)


@pytest.mark.parametrize(
    ("graph", "wanted", "preferred", "chosen"),
    [
        (EVERYTHING, "", ("built_in",), BUILT_IN),
        (EVERYTHING, "", ("", "built_in"), BUILT_IN),  # no default: the one used before
        (EVERYTHING, "", ("virtual", "built_in"), VIRTUAL),  # the user's default, virtual or not
        (EVERYTHING, "", ("rwc_voice", "built_in"), BUILT_IN),  # the default is ours
        (EVERYTHING, "", ("rwc_voice", "rwc_voice"), HEADSET),
        (EVERYTHING, "", ("capture", ""), HEADSET),
        (EVERYTHING, "", ("speakers.monitor", ""), HEADSET),  # the default is what the speakers play
        (EVERYTHING, "", ("speakers", ""), HEADSET),
        (EVERYTHING, "", ("app", ""), HEADSET),
        (EVERYTHING, "", (), HEADSET),  # hardware, then priority, then the oldest
        (graph_of(VOICE, VIRTUAL, SPEAKERS), "", (), VIRTUAL),
        (graph_of(VOICE, OWN_STREAM, SPEAKERS, APP), "", ("rwc_voice", "speakers"), None),
        (graph_of(), "", ("built_in",), None),
        (EVERYTHING, "spare", ("built_in",), SPARE),
        (EVERYTHING, "unplugged", ("built_in",), None),  # no other one is recorded in its place
        (EVERYTHING, "rwc_voice", ("built_in",), None),
        (EVERYTHING, "speakers", ("built_in",), None),
        (EVERYTHING, "speakers.monitor", ("built_in",), SPEAKERS),
        (EVERYTHING, "built_in.monitor", ("built_in",), None),
        (EVERYTHING, "rwc_voice.monitor", ("built_in",), None),
        (EVERYTHING, "", ("phone_mic",), PHONE),
        (EVERYTHING, "phone_mic", (), PHONE),
        (EVERYTHING, "phone_mic.monitor", (), None),
        (EVERYTHING, "bluez_internal", (), None),  # of the session manager, which lists it to nobody
        (graph_of(VOICE, PHONE, SPEAKERS), "", (), PHONE),
        (graph_of(VOICE, PHONE, VIRTUAL), "", (), VIRTUAL),
        (EVERYTHING, "Built-in Audio Analog Stereo", ("headset",), BUILT_IN),  # as mixers show it
        (EVERYTHING, "  built-in audio analog  stereo ", ("headset",), BUILT_IN),
        (EVERYTHING, "Jabra Evolve2", ("built_in",), HEADSET),  # of several, the best
        (EVERYTHING, "Monitor of Loud Speakers", (), SPEAKERS),
        (EVERYTHING, "Loud Speakers", (), None),
        (graph_of(HEADSET, source(3, "Jabra Evolve2")), "Jabra Evolve2", (), source(3, "Jabra Evolve2")),
    ],
)
def test_which_microphone_is_heard(graph, wanted, preferred, chosen):
    assert choose_microphone(graph, wanted, preferred) == chosen


def test_a_priority_that_is_no_number_is_none():
    odd = source(5, "odd", "high")
    assert choose_microphone(graph_of(odd), "", ()) == odd
    assert choose_microphone(graph_of(odd, BUILT_IN), "", ()) == BUILT_IN


def test_a_name_that_two_nodes_have_means_the_microphone():
    graph = graph_of(Node(5, "twice", "Audio/Sink", "idle"), source(6, "twice"))
    assert choose_microphone(graph, "twice", ()).id == 6
    assert choose_microphone(graph, "twice.monitor", ()).id == 5


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("headset", "headset"),
        ("speakers.monitor", "speakers.monitor"),
        ("Phone Mic&Sink", "phone_mic"),
        ("built-in audio analog stereo", "built_in"),
        ("Monitor of Loud Speakers", "speakers.monitor"),
        ("virtual", "virtual"),
    ],
)
def test_an_input_is_known_by_its_name_and_by_what_mixers_show(wanted, name):
    assert input_name(EVERYTHING, wanted) == name


@pytest.mark.parametrize("wanted", ["rwc_voice", "capture", "app", "speakers", "Loud Speakers", "bluez_internal", "x"])
def test_what_is_no_input_is_refused(wanted):
    with pytest.raises(UsageError, match=f"There is no microphone {wanted}") as told:
        input_name(EVERYTHING, wanted)
    assert "rwc-pw devices" in told.value.remedy
    assert "speakers" not in told.value.remedy


def test_of_several_of_one_description_the_names_are_told():
    with pytest.raises(UsageError, match="2 microphones are called jabra evolve2") as told:
        input_name(EVERYTHING, "jabra evolve2")
    assert told.value.remedy == "Name one: headset, spare."


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("headst", "Did you mean headset? "),
        ("Built-in Audio Analogue Stereo", "Did you mean built_in? "),
        ("phone", "Did you mean phone_mic? "),  # a part of it
        ("PHONE_MIC2", "Did you mean phone_mic? "),
        ("speaker.monitor", "Did you mean speakers.monitor? "),
        ("rwc_voic", ""),
        ("loud speakers", ""),  # what they play is not put forward
        ("qqq", ""),
        ("e", ""),  # a part of many
    ],
)
def test_who_misspells_an_input_is_told_what_was_probably_meant(wanted, meant):
    assert not_there(EVERYTHING, wanted) == f"{meant}Connect it, or choose another: `rwc-pw devices` lists them."

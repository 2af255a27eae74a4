import json

import pytest

from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire.graph import Graph, GraphReader, Link, Node

CORE = {"id": 0, "type": "PipeWire:Interface:Core", "info": {}}


def node(id: int, name: str) -> dict:
    return {"id": id, "type": "PipeWire:Interface:Node", "info": {"state": "idle", "props": {"node.name": name}}}


def port(id: int, node_id: int, name: str) -> dict:
    props = {"node.id": node_id, "port.name": name, "port.direction": "out"}
    return {"id": id, "type": "PipeWire:Interface:Port", "info": {"props": props}}


def link(id: int, output: int, into: int, state: str, output_node: int = -1) -> dict:
    info = {"output-port-id": output, "input-port-id": into, "state": state, "output-node-id": output_node}
    return {"id": id, "type": "PipeWire:Interface:Link", "info": info}


def client(id: int, pid: int) -> dict:
    return {"id": id, "type": "PipeWire:Interface:Client", "info": {"props": {"pipewire.sec.pid": pid}}}


def told(*reports: list[dict]) -> Graph:
    """The graph after ``pw-dump --monitor`` has told these."""
    reader, graph = GraphReader(), None
    for report in reports:
        for line in json.dumps([CORE, *report], indent=2).splitlines(keepends=True):
            graph = reader.feed(line)
    assert graph is not None
    return graph


def test_a_port_is_found_by_the_path_that_pw_link_knows():
    graph = told([node(1, "a"), node(2, "b:c"), port(3, 1, "x"), port(4, 2, "x"), port(5, 2, "y")])
    assert graph.port("a:x").id == 3
    assert graph.port("b:c:x").id == 4
    assert graph.port("a:y") is None
    assert graph.port("c:x") is None


def test_a_link_is_found_by_its_ends_in_their_order():
    ports = [node(1, "a"), port(2, 1, "x"), port(3, 1, "y")]
    graph = told([*ports, link(4, 2, 3, "init")], [link(4, 2, 3, "active")])
    x, y = graph.port("a:x"), graph.port("a:y")
    assert graph.link(x, y).state == "active"
    assert graph.link(y, x) is None


def test_what_has_gone_is_forgotten():
    graph = told([node(1, "a"), client(2, 77), client(3, 78)], [{"id": 1, "info": None}, {"id": 2, "info": None}])
    assert graph.named("a") == []
    assert graph.client_pids == {78}


def test_what_goes_before_the_graph_has_come_is_not_the_graph():
    reader = GraphReader()
    graphs = [reader.feed(line) for line in ("[\n", '{ "id": 4000, "info": null }\n', "]\n")]
    assert graphs == [None, None, None]


@pytest.mark.parametrize(
    ("nodes", "heard", "surplus"),
    [((), (), []), ((1,), (), []), ((1, 2), (), [2]), ((1, 2), (2,), [1]), ((1, 2), (1, 2), [])],
)
def test_of_two_rwc_voices_the_one_that_is_heard_stays(nodes, heard, surplus):
    links = [link(10 + id, 20, 21, "active", output_node=id) for id in heard]
    graph = told([*(node(id, "rwc_voice") for id in nodes), *links])
    assert [node.id for node in graph.surplus_voice_nodes()] == surplus


@pytest.mark.parametrize(
    ("props", "forgets"),
    [
        ({"application.name": "WirePlumber"}, True),  # 0.4.13
        ({"application.name": "WirePlumber", "application.version": "0.5.8"}, False),
        ({"application.name": "parec"}, False),
    ],
)
def test_which_session_manager_waits_for_ports_to_change(props, forgets):
    assert told([{"id": 1, "type": "PipeWire:Interface:Client", "info": {"props": props}}]).forgets_ports is forgets


@pytest.mark.parametrize(
    ("state", "link_state", "is_heard", "unserved"),
    [
        ("running", "active", True, []),
        ("running", "paused", True, ["app"]),
        ("idle", "paused", False, []),  # it has paused
    ],
)
def test_who_runs_is_to_get_sound(state, link_state, is_heard, unserved):
    app = Node(2, "app", "Stream/Input/Audio", state)
    nodes = {1: Node(1, SOURCE_NODE, "Audio/Source/Virtual", "running"), 2: app}
    graph = Graph(nodes=nodes, links=(Link(1, 3, 2, 4, link_state),))
    assert graph.is_heard() is is_heard
    assert [node.name for node in graph.unserved_listeners()] == unserved

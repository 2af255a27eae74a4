"""What ``pw-dump --monitor`` said on 0.3.65, shortened."""

import textwrap

import pytest

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.graph import Graph, GraphReader

FIRST = """\
    [
      {
        "id": 0,
        "type": "PipeWire:Interface:Core",
        "info": { "cookie": 1, "props": { "core.name": "pipewire-0" } }
      },
      {
        "id": 31,
        "type": "PipeWire:Interface:Metadata",
        "props": { "metadata.name": "settings" },
        "metadata": [
        ]
      },
      {
        "id": 34,
        "type": "PipeWire:Interface:Client",
        "info": { "change-mask": [ "props" ], "props": { "pipewire.sec.pid": 5051 } }
      },
      {
        "id": 40,
        "type": "PipeWire:Interface:Node",
        "version": 3,
        "permissions": [ "r", "w", "x", "m" ],
        "info": {
          "max-input-ports": 0,
          "state": "suspended",
          "error": null,
          "props": {
            "media.class": "Audio/Source",
            "node.description": "Built-in microphone",
            "node.name": "microphone",
            "priority.session": 2009
          },
          "params": {
            "Props": [
              {
                "volume": 1.000000,
                "mute": false,
                "channelVolumes": [ 1.000000 ]
              },
              {
                "params": [
                ]
              }
            ]
          }
        }
      },
      {
        "id": 41,
        "type": "PipeWire:Interface:Port",
        "info": {
          "direction": "output",
          "props": { "port.name": "capture_MONO", "port.direction": "out", "node.id": 40 }
        }
      }
    ]
"""
THEN = """\
    [
      {
        "id": 50,
        "type": "PipeWire:Interface:Node",
        "info": { "state": "creating", "props": { "node.name": "app", "application.name": "An app" } }
      },
      {
        "id": 51,
        "type": "PipeWire:Interface:Port",
        "info": { "props": { "port.name": "input_MONO", "port.direction": "in", "node.id": 50 } }
      },
      {
        "id": 60,
        "type": "PipeWire:Interface:Link",
        "info": {
          "output-node-id": 40,
          "output-port-id": 41,
          "input-node-id": 50,
          "input-port-id": 51,
          "state": "active"
        }
      },
      {
        "id": 35,
        "type": "PipeWire:Interface:Metadata",
        "props": { "metadata.name": "default" },
        "metadata": [
          { "subject": 0, "key": "default.audio.source", "type": "Spa:String:JSON", "value": { "name": "microphone" } }
        ]
      }
    ]
"""
MUTED = """\
    [
      {
        "id": 40,
        "type": "PipeWire:Interface:Node",
        "info": {
          "state": "running",
          "props": { "node.name": "microphone", "media.class": "Audio/Source" },
          "params": {
            "Props": [ { "volume": 0.5, "mute": true, "channelVolumes": [ 0.0, 0.25 ] }, { "channelVolumes": [] } ]
          }
        }
      }
    ]
"""
GONE = """\
    [
      {
        "id": 60,
        "info": null
      },
      {
        "id": 35,
        "info": null
      },
      {
        "id": 999,
        "info": null
      }
    ]
"""
NOTHING = """\
    [
    ]
"""


def graphs(*reports: str) -> list[Graph | None]:
    """What each line of the reports gives."""
    reader = GraphReader()
    return [reader.feed(line) for line in textwrap.dedent("".join(reports)).splitlines(keepends=True)]


def last(*reports: str) -> Graph:
    graph = graphs(*reports)[-1]
    assert graph is not None
    return graph


def test_the_graph_comes_with_the_last_line_of_each_change_and_with_no_other():
    told = graphs(FIRST, THEN, NOTHING)
    ends = [place for place, graph in enumerate(told) if graph is not None]
    lengths = [len(report.splitlines()) for report in (FIRST, THEN, NOTHING)]
    assert ends == [lengths[0] - 1, lengths[0] + lengths[1] - 1, sum(lengths) - 1]


def test_a_node_is_read_as_it_is():
    node = last(FIRST).nodes[40]
    assert (node.name, node.media_class, node.state, node.muted) == ("microphone", "Audio/Source", "suspended", False)
    assert node.label == "Built-in microphone"
    assert node.props["priority.session"] == 2009


def test_ports_and_links_know_their_ends():
    graph = last(FIRST, THEN)
    microphone, app = graph.nodes[40], graph.nodes[50]
    assert [port.id for port in graph.ports_of(microphone, "out")] == [41]
    assert graph.ports_of(microphone, "in") == []
    assert [(link.output_node_id, link.input_node_id, link.state) for link in graph.links] == [(40, 50, "active")]
    assert app.label == "An app"


def test_a_change_replaces_what_was_said_of_the_same_object_and_nothing_else():
    before, after = last(FIRST, THEN), last(FIRST, THEN, MUTED)
    assert (after.nodes[40].muted, after.nodes[40].state, after.nodes[40].label) == (True, "running", "microphone")
    assert (before.nodes[40].channel_percents, after.nodes[40].channel_percents) == ((100,), (0, 50))
    assert after.nodes[40].volume_percent == 50
    assert after.nodes[50] == before.nodes[50]
    assert (after.ports, after.links) == (before.ports, before.links)


def test_what_is_gone_is_gone_and_the_session_manager_with_its_metadata():
    before, after = last(FIRST, THEN), last(FIRST, THEN, GONE)
    assert (len(before.links), before.has_session_manager) == (1, True)
    assert (len(after.links), after.has_session_manager) == (0, False)
    assert after.nodes == before.nodes
    assert after.client_pids == {5051}


def test_the_settings_are_not_the_session_manager():
    assert not last(FIRST).has_session_manager


def test_wireplumber_is_one_whose_metadata_is_told_later():
    assert last(FIRST.replace('"pipewire.sec.pid": 5051', '"wireplumber.daemon": true')).has_session_manager


def test_what_is_no_json_is_an_error_and_what_comes_next_is_read():
    reader = GraphReader()
    *lines, last_line = textwrap.dedent(MUTED).replace('"mute": true', '"volume": nan').splitlines()
    assert not any(map(reader.feed, lines))
    with pytest.raises(UnavailableError, match="not JSON"):
        reader.feed(last_line)
    assert [reader.feed(line) for line in textwrap.dedent(FIRST).splitlines()][-1]

"""PipeWire's objects, as pw-dump tells them."""

from typing import Any

Objects = dict[int, dict[str, Any]]
"""By their ids."""


def node_id(objects: Objects, name: str) -> int | None:
    """The id of the node called ``name``."""
    nodes = (i for i, entry in objects.items() if entry["type"] == "PipeWire:Interface:Node")
    return next((i for i in nodes if properties(objects[i]).get("node.name") == name), None)


def port_id(objects: Objects, node: str, port: str) -> int | None:
    """The id of the port that pw-link calls ``node:port``."""
    owner = node_id(objects, node)
    ports = (i for i, entry in objects.items() if entry["type"] == "PipeWire:Interface:Port")
    wanted = {"node.id": owner, "port.name": port}
    return next((i for i in ports if owner and wanted.items() <= properties(objects[i]).items()), None)


def properties(entry: dict[str, Any]) -> dict[str, Any]:
    """The properties of one object."""
    found: dict[str, Any] = entry.get("info", entry).get("props", {})
    return found


def update(objects: Objects, report: list[dict[str, Any]]) -> None:
    """Take in one report of ``pw-dump --monitor``."""
    for entry in report:
        if "type" in entry:
            objects[entry["id"]] = entry
        else:
            objects.pop(entry["id"], None)

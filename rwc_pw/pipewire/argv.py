"""The command lines of PipeWire's tools but pw-cat's, for all their versions."""

import json
import os


def dies_with(parent_pid: int) -> tuple[str, ...]:
    """Prefix of a command by which it never outlives the process that starts it.

    The signal is SIGKILL, because pw-cat ignores SIGTERM while blocked on a pipe. setpriv arms it; if the parent
    died before that, the command has another parent by then, and does not start.
    """
    return ("setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(parent_pid))


DIES_WITH_US = dies_with(os.getpid())

GRAPH = ("pw-dump", "--no-colors")
MONITOR_GRAPH = (*DIES_WITH_US, "pw-dump", "--monitor", "--no-colors")


def link(output_port_id: int, input_port_id: int) -> list[str]:
    # -P makes the link passive up to 0.3.67; later, the streams' node.passive does
    return ["pw-link", "-P", str(output_port_id), str(input_port_id)]


def unlink(output_port_id: int, input_port_id: int) -> list[str]:
    # by its ports: PipeWire reuses a link's id at once, and the next link may be an app's
    return ["pw-link", "-d", str(output_port_id), str(input_port_id)]


def suspend(node_id: int) -> list[str]:
    return ["pw-cli", "send-command", str(node_id), "Suspend", "{}"]


def forget_ports(node_id: int) -> list[str]:
    # suspended, it has one port for all its channels afterwards, until a session manager configures it
    return ["pw-cli", "set-param", str(node_id), "PortConfig", '{ "direction": "Input", "mode": "convert" }']


def turn_up(node_id: int, channels: int) -> list[str]:
    """To 100 %."""
    full = json.dumps({"volume": 1.0, "channelVolumes": [1.0] * channels})
    return ["pw-cli", "set-param", str(node_id), "Props", full]


def unmute(node_id: int) -> list[str]:
    return ["pw-cli", "set-param", str(node_id), "Props", '{ "mute": false }']


def move(node_id: int, target: str) -> list[str]:
    return ["pw-metadata", str(node_id), "target.object", target]


def create_source(properties: str) -> list[str]:
    return ["pw-cli", "create-node", "adapter", properties]


def destroy(object_id: int) -> list[str]:
    return ["pw-cli", "destroy", str(object_id)]

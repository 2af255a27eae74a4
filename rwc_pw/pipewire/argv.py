"""The command lines of PipeWire's tools, for all their versions."""

import os
import re
from dataclasses import dataclass

from rwc_pw.errors import UnavailableError
from rwc_pw.names import APPLICATION_ID
from rwc_pw.pipewire.graph import LINK_GROUP
from rwc_pw.streaming.backend import SAMPLE_RATE_HZ

OLDEST_PW_CAT = (0, 3, 53)  # older pw-cat does not support standard input and output


def dies_with(parent_pid: int) -> tuple[str, ...]:
    """What to put before a command so that it never outlives the process that starts it.

    The signal is SIGKILL, because pw-cat ignores SIGTERM while blocked on a pipe. setpriv arms it; if the parent
    died before that, the command has another parent by then, and does not start.
    """
    return ("setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(parent_pid))


DIES_WITH_US = dies_with(os.getpid())

# otherwise libc would hold back 4096 bytes of the recording, and read as many ahead for the player, unseen
UNBUFFERED = ("stdbuf", "-i0", "-o0")

GRAPH = ("pw-dump", "--no-colors")
MONITOR_GRAPH = (*DIES_WITH_US, "pw-dump", "--monitor", "--no-colors")


@dataclass(frozen=True)
class PwCat:
    """What the installed pw-cat supports."""

    version: str
    needs_raw_flag: bool
    """Since 1.3.81, ``-`` without ``--raw`` means a container format; before, ``--raw`` is an error."""

    @property
    def raw_flag(self) -> tuple[str, ...]:
        return ("--raw",) if self.needs_raw_flag else ()

    @classmethod
    def probe(cls, version_text: str, help_text: str) -> "PwCat":
        """Read ``pw-cat --version`` and ``pw-cat --help``; ``UnavailableError`` if it is too old."""
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", version_text)
        version = found.group() if found else "unknown"
        if not found or tuple(map(int, found.groups())) < OLDEST_PW_CAT:
            oldest = ".".join(map(str, OLDEST_PW_CAT))
            raise UnavailableError(
                f"pw-cat {version} is too old.", f"Install PipeWire {oldest} or newer; Debian 12 and 13 have it."
            )
        return cls(version, needs_raw_flag="--raw" in help_text)

    def capture(self, node_name: str, quantum: int) -> list[str]:
        """Record mono float32 to standard output, one write per quantum."""
        return [*DIES_WITH_US, *UNBUFFERED, "pw-cat", "--record", *self._stream(node_name, quantum)]

    def playback(self, node_name: str, quantum: int) -> list[str]:
        """Play mono float32 from standard input."""
        return [*DIES_WITH_US, *UNBUFFERED, "pw-cat", "--playback", *self._stream(node_name, quantum)]

    def _stream(self, node_name: str, quantum: int) -> list[str]:
        return [
            *self.raw_flag,
            *("--target", "0"),  # we link the ports ourselves: the session manager would choose the speakers
            *("--rate", str(SAMPLE_RATE_HZ)),
            *("--channels", "1"),
            *("--channel-map", "mono"),
            *("--format", "f32"),
            *("--latency", str(quantum)),
            *("--media-role", "rwc-pw"),  # our own role, so that no other stream's volume or target is restored for us
            *("--properties", _properties(node_name)),
            "-",
        ]


def _properties(node_name: str) -> str:
    properties = {
        "node.name": node_name,
        "node.description": "RWC Voice",
        "application.name": "RWC Voice",
        "application.id": APPLICATION_ID,
        "node.group": LINK_GROUP,
        "node.link-group": LINK_GROUP,
        "node.passive": "true",  # on our own, we keep no device awake
        "node.autoconnect": "false",
        "node.dont-reconnect": "true",
    }
    return "{ " + " ".join(f'{key} = "{value}"' for key, value in properties.items()) + " }"


def link(output_port_id: int, input_port_id: int) -> list[str]:
    # -P makes the link passive up to 0.3.67; later, the streams' node.passive does
    return ["pw-link", "-P", str(output_port_id), str(input_port_id)]


def unlink(output_port_id: int, input_port_id: int) -> list[str]:
    # by its ports: PipeWire reuses a link's id at once, and the next link may be an app's
    return ["pw-link", "-d", str(output_port_id), str(input_port_id)]


def suspend(node_id: int) -> list[str]:
    return ["pw-cli", "send-command", str(node_id), "Suspend", "{}"]


def create_source(properties: str) -> list[str]:
    return ["pw-cli", "create-node", "adapter", properties]


def destroy(object_id: int) -> list[str]:
    return ["pw-cli", "destroy", str(object_id)]

"""The command lines of PipeWire's tools, for every version that they come in."""

import os
import re
from dataclasses import dataclass

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.graph import LINK_GROUP
from rwc_pw.streaming.backend import SAMPLE_RATE_HZ

APPLICATION_ID = "io.github.rwcpw.Voice"
OLDEST_PW_CAT = (0, 3, 53)  # before it, pw-cat knows no standard input and output


def dies_with(parent_pid: int) -> tuple[str, ...]:
    """What to put before a command so that it never outlives the process that starts it.

    pw-cat blocked on a pipe does not act on SIGTERM, so it is SIGKILL. setpriv arms that signal; a command whose
    parent died before has another parent by then, and does not begin.
    """
    return ("setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(parent_pid))


DIES_WITH_US = dies_with(os.getpid())

# libc would hold back 4096 bytes of the recording, and take as many ahead for the player, where nobody sees them
UNBUFFERED = ("stdbuf", "-i0", "-o0")

GRAPH = ("pw-dump", "--no-colors")
MONITOR_GRAPH = (*DIES_WITH_US, "pw-dump", "--monitor", "--no-colors")


@dataclass(frozen=True)
class PwCat:
    """What the installed pw-cat understands."""

    needs_raw_flag: bool
    """From 1.3.81 on, ``-`` without ``--raw`` is a container; before, ``--raw`` is an error."""

    @property
    def raw_flag(self) -> tuple[str, ...]:
        return ("--raw",) if self.needs_raw_flag else ()

    @classmethod
    def probe(cls, version_text: str, help_text: str) -> "PwCat":
        """Read ``pw-cat --version`` and ``pw-cat --help``; ``UnavailableError`` when it is too old."""
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", version_text)
        if not found or tuple(map(int, found.groups())) < OLDEST_PW_CAT:
            version = found.group() if found else "unknown"
            oldest = ".".join(map(str, OLDEST_PW_CAT))
            raise UnavailableError(
                f"pw-cat {version} is too old.", f"Install PipeWire {oldest} or newer; Debian 12 and 13 have it."
            )
        return cls(needs_raw_flag="--raw" in help_text)

    def capture(self, node_name: str, quantum: int) -> list[str]:
        """Record mono float32 to standard output, one write a quantum."""
        return [*DIES_WITH_US, *UNBUFFERED, "pw-cat", "--record", *self._stream(node_name, quantum)]

    def playback(self, node_name: str, quantum: int) -> list[str]:
        """Play mono float32 from standard input."""
        return [*DIES_WITH_US, *UNBUFFERED, "pw-cat", "--playback", *self._stream(node_name, quantum)]

    def _stream(self, node_name: str, quantum: int) -> list[str]:
        return [
            *self.raw_flag,
            *("--target", "0"),  # we link the ports: the session manager would choose the speakers
            *("--rate", str(SAMPLE_RATE_HZ)),
            *("--channels", "1"),
            *("--channel-map", "mono"),
            *("--format", "f32"),
            *("--latency", str(quantum)),
            *("--media-role", "rwc-pw"),  # a role of our own: no volume or target of others is restored on us
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
        "node.passive": "true",  # alone we keep no device awake
        "node.autoconnect": "false",
        "node.dont-reconnect": "true",
    }
    return "{ " + " ".join(f'{key} = "{value}"' for key, value in properties.items()) + " }"


def link(output_port_id: int, input_port_id: int) -> list[str]:
    # -P makes the link passive up to 0.3.67; later the streams' node.passive does it
    return ["pw-link", "-P", str(output_port_id), str(input_port_id)]


def unlink(output_port_id: int, input_port_id: int) -> list[str]:
    # by its ports: PipeWire gives a link's own id to the next one at once, and that may be an app's
    return ["pw-link", "-d", str(output_port_id), str(input_port_id)]


def suspend(node_id: int) -> list[str]:
    return ["pw-cli", "send-command", str(node_id), "Suspend", "{}"]


def create_source(properties: str) -> list[str]:
    return ["pw-cli", "create-node", "adapter", properties]


def destroy(object_id: int) -> list[str]:
    return ["pw-cli", "destroy", str(object_id)]

"""The command lines of pw-cat, for all its versions."""

import re
from dataclasses import dataclass

from rwc_pw.audio.samples import SAMPLE_RATE_HZ
from rwc_pw.errors import UnavailableError
from rwc_pw.names import APPLICATION_ID, LINK_GROUP
from rwc_pw.pipewire.argv import DIES_WITH_US
from rwc_pw.pipewire.process import run

OLDEST_PW_CAT = (0, 3, 53)  # older pw-cat does not support standard input and output

# otherwise libc would hold back 4096 bytes of the recording, and read as many ahead for the player, unseen
UNBUFFERED = ("stdbuf", "-i0", "-o0")


@dataclass(frozen=True)
class PwCat:
    """Features of the installed pw-cat."""

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

    def capture(self, node_name: str, quantum: int, channels: int) -> list[str]:
        """Record float32, interleaved, to standard output, one write per quantum."""
        stream = self._stream(node_name, "rwc-pw recorder", quantum, channels)
        return [*DIES_WITH_US, *UNBUFFERED, "pw-cat", "--record", *stream]

    def playback(self, node_name: str, quantum: int) -> list[str]:
        """Play mono float32 from standard input."""
        stream = self._stream(node_name, "rwc-pw player", quantum, channels=1)
        return [*DIES_WITH_US, *UNBUFFERED, "pw-cat", "--playback", *stream]

    def _stream(self, node_name: str, description: str, quantum: int, channels: int) -> list[str]:
        # numbered, not placed: nothing is mixed on the way
        channel_map = "mono" if channels == 1 else ",".join(f"AUX{number}" for number in range(channels))
        return [
            *self.raw_flag,
            *("--target", "0"),  # we link the ports ourselves: the session manager would choose the speakers
            *("--rate", str(SAMPLE_RATE_HZ)),
            *("--channels", str(channels)),
            *("--channel-map", channel_map),
            *("--format", "f32"),
            *("--latency", str(quantum)),
            *("--media-role", "rwc-pw"),  # our own role, so that no other stream's volume or target is restored for us
            *("--properties", _properties(node_name, description)),
            "-",
        ]


def _properties(node_name: str, description: str) -> str:
    properties = {
        "node.name": node_name,
        "node.description": description,  # not RWC Voice: whoever takes it for that would record the real voice
        "application.name": "rwc-pw",
        "application.id": APPLICATION_ID,
        "node.group": LINK_GROUP,
        "node.link-group": LINK_GROUP,
        "node.passive": "true",  # on our own, we keep no device awake
        "node.autoconnect": "false",
        "node.dont-reconnect": "true",
    }
    return "{ " + " ".join(f'{key} = "{value}"' for key, value in properties.items()) + " }"


def recorded_channels(channels: int) -> int:
    """Number of channels to record of a microphone that has so many: pw-cat 1.4 takes no odd number but one."""
    return channels if channels == 1 else channels + channels % 2


async def installed_pw_cat() -> PwCat:
    """The pw-cat on PATH; ``UnavailableError`` if it is too old."""
    return PwCat.probe(await run(["pw-cat", "--version"]), await run(["pw-cat", "--help"]))

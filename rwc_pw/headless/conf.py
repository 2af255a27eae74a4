"""A private PipeWire's environment and configuration files."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

MICROPHONE = "headless_microphone"
SPEAKERS = "headless_speakers"
MICROPHONE_PRIORITY = 2000

DIRECTORIES = {"HOME": "home", "XDG_RUNTIME_DIR": "run"} | {
    f"XDG_{kind}_HOME": kind.lower() for kind in ("CONFIG", "STATE", "DATA", "CACHE")
}

# Variables through which a program could find the user's own session, devices or settings.
REACHING_OUT = ("ALSA_", "DBUS_", "JACK_", "LISTEN_", "PIPEWIRE_", "PULSE_", "WAYLAND_", "WIREPLUMBER_", "XDG_")
REACHING_OUT_EXACTLY = ("DISPLAY", "NOTIFY_SOCKET", "SESSION_MANAGER", "XAUTHORITY")

NULL_NODE = """{{
    factory.name = support.null-audio-sink    media.class = "{media_class}"
    node.name = "{name}"                      node.description = "{description}"
    audio.rate = 48000                        audio.channels = {channels}    audio.position = [ {position} ]
    monitor.channel-volumes = true            priority.session = {priority}        object.linger = true
}}"""

# The daemon limits minimum and default to the maximum (settings.c, 0.3.65 to 1.4.2), so that neither a client's
# node.latency nor a virtual machine's larger minimum changes the quantum.
PIPEWIRE_CONF = """
context.properties = {{
    default.clock.quantum = {quantum}         default.clock.min-quantum = {quantum}
    default.clock.max-quantum = {quantum}     clock.power-of-two-quantum = false
}}
context.objects = [ {objects} ]
"""

# WirePlumber 0.4 reads the Lua files (after its 50-*, before its 90-enable-all), 0.5 the last one.
WIREPLUMBER_CONF = {
    "main.lua.d/89-headless.lua": """
alsa_monitor.enabled = false
v4l2_monitor.enabled = false
libcamera_monitor = libcamera_monitor or {}
libcamera_monitor.enabled = false
""",
    "bluetooth.lua.d/89-headless.lua": "bluez_monitor.enabled = false\n",
    "wireplumber.conf.d/89-headless.conf": """
wireplumber.profiles = {
    main = {
        monitor.alsa = disabled     monitor.alsa-midi = disabled     monitor.v4l2 = disabled
        monitor.bluez = disabled    monitor.bluez-midi = disabled    monitor.libcamera = disabled
    }
}
""",
}

# A single, private service directory: a call on this bus starts none of the machine's services.
BUS_CONF = """<busconfig>
  <type>session</type> <listen>{address}</listen> <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/> <allow eavesdrop="true"/> <allow own="*"/>
  </policy>
</busconfig>
"""


def private_environment(root: Path) -> dict[str, str]:
    """This process's environment, with every path to a session redirected below ``root``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(REACHING_OUT) and name not in REACHING_OUT_EXACTLY
    }
    private = {name: str(root / directory) for name, directory in DIRECTORIES.items()}
    return kept | private | {"DBUS_SESSION_BUS_ADDRESS": _bus_address(root), "LC_ALL": "C.UTF-8"}


def configuration(root: Path, *, quantum: int, devices: Iterable[str]) -> dict[Path, str]:
    """Every configuration file's text, by path; ``devices`` are node arguments."""
    objects = "\n".join(f"{{ factory = adapter args = {arguments} }}" for arguments in devices)
    config = root / DIRECTORIES["XDG_CONFIG_HOME"]
    return {
        root / "bus.conf": BUS_CONF.format(address=_bus_address(root), services=root / "data/dbus-1/services"),
        config / "pipewire/pipewire.conf.d/10-headless.conf": PIPEWIRE_CONF.format(quantum=quantum, objects=objects),
    } | {config / "wireplumber" / name: text for name, text in WIREPLUMBER_CONF.items()}


def microphone_arguments() -> str:
    """The arguments of the fake microphone, which hears what is played into its input port."""
    return node_arguments(
        MICROPHONE,
        "Headless microphone",
        media_class="Audio/Source/Virtual",
        channels=("MONO",),
        priority=MICROPHONE_PRIORITY,
    )


def speakers_arguments() -> str:
    """The arguments of the fake speakers, stereo."""
    return node_arguments(
        SPEAKERS,
        "Headless speakers",
        media_class="Audio/Sink",
        channels=("FL", "FR"),
        priority=1000,  # as devices' have it: at the same as the microphone's, what they play may be the default source
    )


def node_arguments(name: str, description: str, *, media_class: str, channels: Sequence[str], priority: int) -> str:
    """The arguments of a fake device, whose ports are one for each channel and direction."""
    return NULL_NODE.format(
        media_class=media_class,
        priority=priority,
        name=name,
        description=description,
        channels=len(channels),
        position=" ".join(channels),
    )


def _bus_address(root: Path) -> str:
    return f"unix:path={quote(str(root / 'run/bus'))}"

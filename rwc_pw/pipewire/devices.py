"""Microphones and the mute switch, as PulseAudio's protocol shows them to every desktop."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pulsectl

from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.graph import SOURCE_NODE


@dataclass(frozen=True)
class Device:
    """Something that can be recorded."""

    name: str
    description: str
    is_default: bool
    is_monitor: bool
    """It carries what the speakers play: never chosen unless it is named."""
    volume_percent: int
    muted: bool


def list_devices() -> list[Device]:
    """What RWC Voice could record from, microphones first; ``UnavailableError`` without pipewire-pulse."""
    with connected_pulse() as pulse:
        default = pulse.server_info().default_source_name
        devices = [
            Device(
                name=source.name,
                description=source.description,
                is_default=source.name == default,
                is_monitor=source.name.endswith(".monitor"),
                volume_percent=round(source.volume.value_flat * 100),
                muted=bool(source.mute),
            )
            for source in pulse.source_list()
            if source.name != SOURCE_NODE
        ]
    return sorted(devices, key=lambda device: (device.is_monitor, device.name))


def mute_voice(muted: bool) -> None:
    """Mute RWC Voice itself, as any mixer would; ``UnavailableError`` when it is not there."""
    with connected_pulse() as pulse:
        try:
            source = pulse.get_source_by_name(SOURCE_NODE)
        except pulsectl.PulseIndexError:
            raise UnavailableError("RWC Voice is not there to be muted.", "Run `rwc-pw enable`.") from None
        pulse.mute(source, muted)


@contextmanager
def connected_pulse() -> Iterator[pulsectl.Pulse]:
    """A connection to pipewire-pulse, which it never starts; ``UnavailableError`` when it fails or is lost."""
    pulse = pulsectl.Pulse("rwc-pw", connect=False)
    try:
        pulse.connect()
        yield pulse
    except (pulsectl.PulseError, pulsectl.PulseDisconnected) as error:
        raise UnavailableError(
            "pipewire-pulse does not answer.", "Start it: `systemctl --user start pipewire-pulse`."
        ) from error
    finally:
        pulse.close()

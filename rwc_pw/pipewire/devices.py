"""Microphones and mute, through PulseAudio's protocol, as every desktop sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pulsectl

from rwc_pw.errors import UnavailableError
from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire.inputs import MONITOR_SUFFIX


@dataclass(frozen=True)
class Device:
    """A source that can be recorded."""

    name: str
    description: str
    is_default: bool
    is_monitor: bool
    """True if it carries what the speakers play; such a source is used only if named."""
    volume_percent: int
    muted: bool
    channels: int


def default_source() -> str:
    """The default source's name; ``UnavailableError`` without pipewire-pulse."""
    with connected_pulse() as pulse:
        return default_source_of(pulse)


def default_source_of(pulse: pulsectl.Pulse) -> str:
    """The default source's name; ``UnavailableError`` if PulseAudio itself serves the apps, not PipeWire."""
    server = pulse.server_info()
    if "PipeWire" not in server.server_name:
        raise UnavailableError(
            "PulseAudio itself serves your apps, and none of them lists RWC Voice.",
            "Let PipeWire serve them: install pipewire-pulse, then run `systemctl --user mask --now "
            "pulseaudio.socket pulseaudio.service; systemctl --user enable --now pipewire-pulse.socket`.",
        )
    return server.default_source_name or ""


def list_devices() -> list[Device]:
    """The sources that RWC Voice could record, microphones first; ``UnavailableError`` without pipewire-pulse."""
    with connected_pulse() as pulse:
        default = default_source_of(pulse)
        devices = [
            Device(
                name=source.name,
                description=source.description,
                is_default=source.name == default,
                is_monitor=source.name.endswith(MONITOR_SUFFIX),
                volume_percent=round(source.volume.value_flat * 100),
                muted=bool(source.mute),
                channels=source.channel_count,
            )
            for source in pulse.source_list()
            if source.name != SOURCE_NODE
        ]
    return sorted(devices, key=lambda device: (device.is_monitor, device.name))


def mute_voice(muted: bool | None) -> None:
    """Mute or unmute RWC Voice itself, as a mixer would; None does the other of the two.

    ``UnavailableError`` if it is not there.
    """
    with connected_pulse() as pulse:
        try:
            source = pulse.get_source_by_name(SOURCE_NODE)
        except pulsectl.PulseIndexError:
            default_source_of(pulse)
            raise UnavailableError("RWC Voice does not exist, so it cannot be muted.", "Run `rwc-pw enable`.") from None
        pulse.mute(source, not source.mute if muted is None else muted)


@contextmanager
def connected_pulse() -> Iterator[pulsectl.Pulse]:
    """A connection to pipewire-pulse, without starting that; ``UnavailableError`` if it fails or is lost."""
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

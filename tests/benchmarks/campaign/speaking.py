"""Somebody who speaks into a microphone."""

import time
from pathlib import Path

from tests.servers.sound import Player

LONGEST_READ_S = 1.0  # pw-cat reads a file a tenth of a second at a time


class Speaker(Player):
    """A player that knows whether it still speaks: that of PipeWire 0.3.65 crashes now and then, or stands still."""

    _position = 0
    spoken_s = 0.0
    """When it was last seen to speak."""

    def has_stopped(self) -> bool:
        """Return whether it has ended, or has not spoken for so long that it will not speak any more."""
        position = self._read_bytes()
        if position > self._position:
            self._position, self.spoken_s = position, time.monotonic()
        return self._process.poll() is not None or time.monotonic() - self.spoken_s > LONGEST_READ_S

    def _read_bytes(self) -> int:
        """How much of the file has been read; 0 if that is not known."""
        folder = Path(f"/proc/{self._process.pid}")
        try:
            for descriptor in (folder / "fd").iterdir():
                if descriptor.readlink() == self._file:
                    return int((folder / "fdinfo" / descriptor.name).read_text().split()[1])
        except OSError:  # it has ended, or closes a file just now
            pass
        return 0

"""Where the voices of an installation are."""

from dataclasses import dataclass
from pathlib import Path

from rwc_pw.system.paths import Paths


@dataclass(frozen=True)
class InstalledPaths(Paths):
    """The places of an installation, also for a checkout."""

    @property
    def voices_dir(self) -> Path:
        return self.installed_voices_dir

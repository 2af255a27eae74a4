"""Paths of rwc-pw's files, by the XDG base directory specification."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rwc_pw.errors import UnavailableError
from rwc_pw.names import APPLICATION_ID


@dataclass(frozen=True)
class Paths:
    """Every place rwc-pw writes to in a user's home."""

    config_home: Path
    data_home: Path
    state_home: Path
    command: Path
    """The command that install.sh puts on PATH."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Self:
        """The places that ``env`` names; relative XDG values are ignored, as the specification requires."""
        return cls(
            config_home=_base_folder(env, "XDG_CONFIG_HOME", ".config"),
            data_home=_base_folder(env, "XDG_DATA_HOME", ".local/share"),
            state_home=_base_folder(env, "XDG_STATE_HOME", ".local/state"),
            command=Path(env.get("HOME", "/")) / ".local/bin/rwc-pw",
        )

    @property
    def config_file(self) -> Path:
        return self.config_home / "rwc-pw/config.toml"

    @property
    def drop_in(self) -> Path:
        """The file that makes PipeWire itself offer the microphone."""
        return self.config_home / "pipewire/pipewire.conf.d/50-rwc-voice.conf"

    @property
    def autostart_entry(self) -> Path:
        """The file that makes the desktop start the daemon at login."""
        return self.config_home / f"autostart/{APPLICATION_ID}.desktop"

    @property
    def bus_service(self) -> Path:
        """The file that makes the session bus start the daemon on the first call."""
        return self.data_home / f"dbus-1/services/{APPLICATION_ID}.service"

    @property
    def data_dir(self) -> Path:
        return self.data_home / "rwc-pw"

    @property
    def voices_dir(self) -> Path:
        """The folder of RVC voices: a checkout's own ``models`` if this runs from a checkout."""
        checkout = Path(__file__).parents[2]
        is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "models").is_dir()
        return checkout / "models" if is_checkout else self.installed_voices_dir

    @property
    def installed_voices_dir(self) -> Path:
        """The folder of RVC voices of an installation."""
        return self.data_dir / "models"

    @property
    def assets_dir(self) -> Path:
        """Models that every RVC voice needs, in ultimate-rvc's layout."""
        return self.data_dir / "rvc-models"

    @property
    def compiled_dir(self) -> Path:
        """Networks of RVC voices, built for OpenVINO."""
        return self.state_dir / "compiled"

    @property
    def chunks_file(self) -> Path:
        """The chunk size chosen for each RVC voice."""
        return self.state_dir / "chunks.json"

    @property
    def downloads_dir(self) -> Path:
        """Voices that are being fetched."""
        return self.state_dir / "downloads"

    @property
    def state_dir(self) -> Path:
        """State that survives a restart."""
        return self.state_home / "rwc-pw"


def _base_folder(env: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = Path(env.get(variable, ""))
    if named.is_absolute():
        return named
    home = Path(env.get("HOME", ""))
    if not home.is_absolute():
        raise UnavailableError("HOME does not name a folder.", f"Set HOME or {variable} to an absolute path.")
    return home / below_home

"""An RVC voice as it is stored."""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from rwc_pw.errors import RwcPwError

VOICE_FILE = "voice.toml"
MODEL_FILE = "model.safetensors"
INDEX_FILE = "model.index"
BACKENDS = BATCH, STREAMING = "batch", "streaming"
"""What speaks in it: ultimate-rvc, or its network by ourselves."""
LOOK_AHEAD_RANGE_MS = 10, 160
"""How far the flow and the generator may look ahead; further is no nearer to what they say offline."""


@dataclass(frozen=True)
class RvcVoice:
    """What voice.toml says."""

    name: str
    version: str
    """v1 or v2: which features of ContentVec it was trained on."""
    sample_rate_hz: int
    has_pitch: bool
    """Whether it follows the speaker's pitch (RVC's f0)."""
    speakers: int
    has_index: bool
    source_sha256: str
    licence: str = ""
    """For the user to note: the files say nothing of it."""

    @property
    def description(self) -> str:
        """One line for people."""
        kind = f"RVC {self.version}, {self.sample_rate_hz // 1000} kHz"
        extras = [kind, *(["no pitch"] if not self.has_pitch else [])]
        extras += [f"{self.speakers} speakers"] if self.speakers > 1 else []
        return ", ".join([*extras, "with an index" if self.has_index else "no index"]) + "."

    def write(self, folder: Path) -> None:
        """Write ``folder``'s voice.toml."""
        import tomlkit

        (folder / VOICE_FILE).write_text(tomlkit.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What ``folder``'s voice.toml says, under the folder's name; ``RwcPwError`` when it cannot be used."""
        path = folder / VOICE_FILE
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
            known = {item.name: values[item.name] for item in fields(cls) if item.name != "name"}
        except (OSError, ValueError, KeyError) as error:
            raise RwcPwError(
                f"{path} cannot be used: {error}.", f"Run `rwc-pw voices remove {folder.name}` and add the voice again."
            ) from error
        return cls(name=folder.name, **known)

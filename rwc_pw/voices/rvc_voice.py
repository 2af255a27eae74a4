"""An RVC voice as it is stored."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from shlex import quote
from typing import Any, Self

from rwc_pw.errors import RwcPwError
from rwc_pw.system.reading import read_text
from rwc_pw.voices.architecture import FEATURES, MOST_SPEAKERS, SAMPLE_RATES_HZ

VOICE_FILE = "voice.toml"
MODEL_FILE = "model.safetensors"
INDEX_FILE = "model.index"


@dataclass(frozen=True)
class RvcVoice:
    """The content of voice.toml."""

    name: str
    version: str
    """v1 or v2: which features of ContentVec it was trained on."""
    sample_rate_hz: int
    has_pitch: bool
    """True if it follows the speaker's pitch (RVC's f0)."""
    speakers: int
    has_index: bool
    source_sha256: str
    licence: str = field(default="", compare=False)
    """For the user to fill in: the voice's files do not state it, and it does not change the voice."""

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
        """Read ``folder``'s voice.toml; the voice is named after the folder. ``RwcPwError`` if it cannot be used."""
        path = folder / VOICE_FILE
        try:
            values = {**tomllib.loads(read_text(path)), "name": folder.name}
            voice = cls(**{item.name: _value(values, item) for item in fields(cls)})
            if voice.version not in FEATURES or voice.sample_rate_hz not in SAMPLE_RATES_HZ:
                raise ValueError("no voice has such a version or rate")
            if not 1 <= voice.speakers <= MOST_SPEAKERS:
                raise ValueError("no voice has so many speakers")
            return voice
        except (OSError, ValueError, RecursionError) as error:
            raise RwcPwError(f"{path} cannot be used: {error}.", _add_again(folder)) from error


def check_weights(folder: Path) -> None:
    """``RwcPwError`` unless the weights of the voice in ``folder`` are a file: whoever reads a pipe waits for ever."""
    path = folder / MODEL_FILE
    if not path.is_file():
        raise RwcPwError(f"{path} is missing, or no file.", _add_again(folder))


def _add_again(folder: Path) -> str:
    return f"Run `rwc-pw voices remove {quote(folder.name)}` and add the voice again."


def _value(values: Mapping[str, object], item: "Field[Any]") -> Any:
    """That field's value; ``ValueError`` if it is missing or of another type."""
    value = values.get(item.name, item.default)
    if value is MISSING:
        raise ValueError(f"{item.name} is missing")
    if type(value) is not item.type:
        raise ValueError(f"{item.name} is {value!r}")
    return value

"""A voice in its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rwc_pw.errors import RwcPwError
from rwc_pw.voices.rvc_voice import RvcVoice, check_weights


@dataclass(frozen=True)
class StoredVoice:
    """A voice's folder, and the content that its voice.toml had when it was read."""

    folder: Path
    facts: RvcVoice

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The voice in ``folder``; ``RwcPwError`` if its voice.toml or its weights cannot be used."""
        facts = RvcVoice.read(folder)
        check_weights(folder)
        return cls(folder, facts)

    def is_still_there(self) -> bool:
        """Return whether nobody has removed or replaced the voice since."""
        try:
            return RvcVoice.read(self.folder) == self.facts
        except RwcPwError:
            return False

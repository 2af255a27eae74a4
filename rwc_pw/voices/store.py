"""Where the user's RVC voices are kept: a folder for each."""

import difflib
import re
import shutil
from contextlib import suppress
from pathlib import Path

from rwc_pw.desktop.files import refusal
from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.rvc_voice import VOICE_FILE, RvcVoice

NAME = re.compile(r"\w[\w .+()-]{0,62}\w|\w")


class VoiceStore:
    """The voices in ``folder``; whatever in it has no voice.toml is not ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The voices' names, sorted."""
        return sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{VOICE_FILE}"))

    def find(self, name: str) -> RvcVoice:
        """The voice of that name; ``UsageError`` when there is none, ``RwcPwError`` for one that is damaged."""
        self.check_there(name)
        return RvcVoice.read(self.folder / name)

    def check_there(self, name: str) -> None:
        """``UsageError`` when there is no voice of that name, damaged or not."""
        names = self.names()
        if name in names:
            return
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else "`rwc-pw voices` lists those that are here."
        raise UsageError(f"There is no RVC voice {name!r}.", hint)

    def find_source(self, sha256: str) -> RvcVoice | None:
        """The voice that was brought in from the file with this hash, if there is one."""
        for name in self.names():
            with suppress(RwcPwError):  # one that is damaged is none to be found
                if (voice := self.find(name)).source_sha256 == sha256:
                    return voice
        return None

    def folder_of(self, voice: RvcVoice) -> Path:
        """Where its files lie."""
        return self.folder / voice.name

    def check_new(self, name: str) -> None:
        """``UsageError`` unless a voice may be brought in under ``name``."""
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a voice's name.", "Give one of up to 64 letters, digits and blanks with --name."
            )
        if name in BUILTIN_VOICES or (self.folder / name).exists():
            raise UsageError(
                f"There is a voice {name} already.",
                f"Give another name with --name, or remove the old one: `rwc-pw voices remove {name}`.",
            )

    def adopt(self, folder: Path, voice: RvcVoice) -> None:
        """Make ``folder``, whose files are complete, this voice's in one step; ``UsageError`` for a taken name."""
        voice.write(folder)
        self.check_new(voice.name)
        try:
            folder.rename(self.folder_of(voice))
        except OSError as error:
            raise refusal("write", self.folder_of(voice), error) from error

    def remove(self, name: str) -> None:
        """Delete a voice; ``UsageError`` when there is none of that name."""
        voice_file = self.folder / name / VOICE_FILE
        self.check_there(name)
        try:
            voice_file.unlink()  # from here on it is no voice any more, even if the rest stays
            shutil.rmtree(voice_file.parent)
        except OSError as error:
            raise refusal("remove", voice_file.parent, error) from error

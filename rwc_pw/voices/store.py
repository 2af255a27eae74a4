"""The store of the user's RVC voices, one folder each."""

import difflib
import shutil
from contextlib import suppress
from pathlib import Path
from shlex import quote

from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.system.writing import refusal
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.rvc_voice import VOICE_FILE, RvcVoice
from rwc_pw.voices.voice_name import fitting_name, is_possible


class VoiceStore:
    """The voices in ``folder``; anything in it without a voice.toml is not ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The voices' names, sorted."""
        return sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{VOICE_FILE}"))

    def find(self, name: str) -> RvcVoice:
        """The voice of that name; ``UsageError`` if there is none, ``RwcPwError`` if it is damaged."""
        self.check_there(name)
        return RvcVoice.read(self.folder / name)

    def check_there(self, name: str) -> None:
        """``UsageError`` if there is no voice of that name, damaged or not."""
        names = self.names()
        if name in names:
            return
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else "`rwc-pw voices` lists those that are here."
        raise UsageError(f"There is no RVC voice {name!r}.", hint)

    def find_source(self, sha256: str) -> RvcVoice | None:
        """The voice that was imported from the file with this hash, if any."""
        for name in self.names():
            with suppress(RwcPwError):  # skip a damaged one
                if (voice := self.find(name)).source_sha256 == sha256:
                    return voice
        return None

    def folder_of(self, voice: RvcVoice) -> Path:
        """The folder with its files."""
        return self.folder / voice.name

    def check_new(self, name: str) -> None:
        """``UsageError`` unless a voice may be imported under ``name``."""
        if not is_possible(name):
            raise UsageError(
                f"{name!a:.99} cannot be a voice's name.", f"Give another one, such as {quote(fitting_name(name))}."
            )
        if name in BUILTIN_VOICES:
            raise UsageError(f"{name} is a built-in voice.", "Give another name.")
        if (self.folder / name).exists():
            raise UsageError(
                f"There is a voice {name} already.",
                f"Give another name, or remove the old one: `rwc-pw voices remove {quote(name)}`.",
            )

    def is_free(self, name: str) -> bool:
        """Return whether nothing is called ``name`` yet."""
        return name not in BUILTIN_VOICES and not (self.folder / name).exists()

    def adopt(self, folder: Path, voice: RvcVoice) -> None:
        """Move ``folder``, with its complete files, into the store in one step; ``UsageError`` if the name is taken."""
        voice.write(folder)
        self.check_new(voice.name)
        try:
            folder.rename(self.folder_of(voice))
        except OSError as error:
            raise refusal("write", self.folder_of(voice), error) from error

    def remove(self, name: str) -> None:
        """Delete a voice; ``UsageError`` if there is none of that name."""
        voice_file = self.folder / name / VOICE_FILE
        self.check_there(name)
        try:
            if voice_file.parent.is_symlink():  # what it means is not ours
                voice_file.parent.unlink()
                return
            voice_file.unlink()  # from here on it is no longer a voice, even if the rest stays
            shutil.rmtree(voice_file.parent)
        except OSError as error:
            raise refusal("remove", voice_file.parent, error) from error

"""Finds the stored voice that a user's name or path means."""

from pathlib import Path
from shlex import quote

from rwc_pw.errors import UsageError
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.adding.source import file_sha256
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.rvc_voice import VOICE_FILE
from rwc_pw.voices.store import VoiceStore


def stored_folder(model: Path, store: VoiceStore) -> Path:
    """The folder of the voice that ``model`` means: a stored voice's folder, a file in one, its name, or any ``.pth``.

    A ``.pth`` that is not in the store yet is imported. ``UsageError`` if there is no such voice.
    """
    if str(model) in store.names():
        return store.folder / model
    path = model.absolute()
    for folder in (path, path.parent):
        if (folder / VOICE_FILE).is_file():
            return folder
    if path.is_file():
        known = store.find_source(file_sha256(path))
        return store.folder_of(known or add_voice(path, store))
    if str(model) in BUILTIN_VOICES:
        how = f"`rwc-pw demo --voice {quote(str(model))} --input FILE` converts with it."
        raise UsageError(f"{model} is a built-in voice, not one of RVC.", how)
    if len(model.parts) == 1:
        store.check_there(model.name)
    raise UsageError(f"There is no voice at {model}.", "`rwc-pw voices list` names those that are there.")

"""Imports a stranger's voice: its files are copied, read by a restricted process, and stored in our own format."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rwc_pw.errors import RwcPwError, missing_extra
from rwc_pw.system.extra import load_module
from rwc_pw.system.private_folder import PrivateFolder
from rwc_pw.voices.adding.source import Copied, copy_source
from rwc_pw.voices.rvc_voice import INDEX_FILE, RvcVoice
from rwc_pw.voices.store import VoiceStore
from rwc_pw.voices.voice_name import fitting_name

INSPECTOR = ("-P", "-m", "rwc_pw.voices.adding.inspector")
LONGEST_S = 180.0
STAGING_PREFIX = ".adding-"
CRASHED = "cannot be read: it asks for more than a voice may, or it is damaged"

log = logging.getLogger(__name__)


def add_voice(
    source: Path,
    store: VoiceStore,
    *,
    name: str | None = None,
    index: Path | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
    tell: Callable[[str], None] = log.warning,
) -> RvcVoice:
    """Store the voice in ``source``: a ``.pth``, a folder or a ``.zip``, with its own index or ``index``.

    Nothing in it is executed, and it is stored whole or not at all; an index that cannot be used is left out, and of
    several states of its training the last is taken. Without ``name`` its own is changed into one that can be and is
    free. ``tell`` receives all that, as sentences, and ``on_progress`` the fraction done. ``UnavailableError`` without
    the extra, ``UsageError`` for an impossible source or name, ``RwcPwError`` for a file that is not a voice.
    """
    check_can_add(store, name)
    staging = PrivateFolder(store.folder, STAGING_PREFIX)
    try:
        copied = copy_source(source, index, staging.path)
        if copied.told:
            tell(copied.told)
        voice_name = name or _name_of(copied, store, tell)
        on_progress(0.3)
        folder = staging.path / "voice"
        folder.mkdir(mode=0o700)
        facts = _inspect(copied.model, copied.index, folder, source)
        if index_problem := facts.pop("index_problem"):
            tell(f"Its index is left out: the voice {index_problem}.")
        on_progress(0.9)
        voice = RvcVoice(
            name=voice_name, has_index=(folder / INDEX_FILE).exists(), source_sha256=copied.sha256, **facts
        )
        store.adopt(folder, voice)
        on_progress(1.0)
        return voice
    finally:
        staging.remove()


def _name_of(copied: Copied, store: VoiceStore, tell: Callable[[str], None]) -> str:
    """The name for a voice that the user did not name; ``UsageError`` if this very file has it already."""
    wanted = fitting_name(copied.name)
    if store.folder.joinpath(wanted).exists() and (known := store.find_source(copied.sha256)) and known.name == wanted:
        store.check_new(wanted)
    name = fitting_name(copied.name, store.is_free)
    if name != copied.name.strip():
        tell(f"{copied.name!a:.99} {'is taken' if name != wanted else 'cannot be'}: the voice is called {name}.")
    return name


def check_can_add(store: VoiceStore, name: str | None) -> None:
    """Raise what ``add_voice`` would raise for any source."""
    if find_spec("safetensors") is None:
        raise missing_extra("safetensors")
    if name is not None:
        store.check_new(name)


def _inspect(model: Path, index: Path | None, folder: Path, source: Path) -> dict[str, Any]:
    """The inspector's facts about the voice, whose stored form it writes into ``folder``."""
    request = {"model": str(model), "index": str(index) if index else "", "folder": str(folder)}
    try:
        done = subprocess.run(
            [sys.executable, *INSPECTOR],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=LONGEST_S,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RwcPwError(f"{source} took too long to read for a voice.", "Get it from elsewhere.") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError:  # its limits, or what it read, ended it
        if done.returncode == 1:  # an error of Python's
            load_module("safetensors.numpy")
        if index:
            (folder / INDEX_FILE).unlink(missing_ok=True)
            return {**_inspect(model, None, folder, source), "index_problem": "comes with an index that cannot be read"}
        answer = {"problem": CRASHED}
    if "problem" in answer:
        raise RwcPwError(f"{source} {answer['problem']}.", "It has been left alone. Get the voice from elsewhere.")
    return dict(answer)


def _environment(folder: Path) -> dict[str, str]:
    """Only what Python needs to find our modules; no user's home."""
    path = ":".join(entry for entry in sys.path if entry)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": path,
        "LC_ALL": "C.UTF-8",
    }

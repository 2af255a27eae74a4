"""Commands for voices: list, show, add, remove."""

import hashlib
import json
import re
import shlex
import shutil
import string
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

import typer

from rwc_pw.cli.printing import one_line, print
from rwc_pw.cli.progress import bytes_done, share_done
from rwc_pw.cli.shared import AsJson, chosen_chunks, config, paths, print_list, store
from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.system.writing import make_folder
from rwc_pw.voices.adding.source import LARGEST_FILE_BYTES, place_of
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.catalogue import catalogue
from rwc_pw.voices.rvc_voice import RvcVoice
from rwc_pw.voices.voice_name import fitting_name

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
Name = Annotated[str, typer.Argument(help="A voice that `rwc-pw voices` lists.")]

voices = typer.Typer(invoke_without_command=True, help="The voices to speak in: list, show, add and remove them.")


@voices.callback()
def list_unless_told(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_voices(as_json)


@voices.command("list")
def list_voices(as_json: AsJson = False) -> None:
    """List the voices, built in and your own."""
    current = config().voice
    found = [{**voice, "is_current": voice["name"] == current} for voice in catalogue(store())]
    print_list(
        found, as_json, lambda voice: f"{'*' if voice['is_current'] else ' '} {voice['name']:10} {voice['description']}"
    )


@voices.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what is known of one voice."""
    voice = BUILTIN_VOICES.get(name) or store().find(name)
    known = asdict(voice)
    print(
        json.dumps(known, indent=2)
        if as_json
        else "\n".join(f"{key:22}{one_line(str(value))}" for key, value in known.items())
    )


@voices.command()
def add(
    source: Annotated[str, typer.Argument(help="A .pth, a folder, a .zip, or the https address of one.")],
    index: Annotated[Path | None, typer.Option("--index", help="The voice's faiss index.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The name of the voice.")] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="The SHA-256 that the downloaded file must have.")
    ] = None,
) -> None:
    """Bring in an RVC voice. Nothing in its files is ever run."""
    from rwc_pw.voices.adding.add import add_voice, check_can_add

    check_can_add(store(), name)
    place = place_of(source)
    is_fetched = place is None
    if sha256 is not None and not (is_fetched and SHA256.fullmatch(sha256)):
        raise UsageError("--sha256 takes the 64 hexadecimal digits of a file to fetch.", "Give an address with it.")
    if not source:
        raise UsageError("There is no voice without a name.", "Name a .pth, a folder, a .zip or an address.")
    path = place or _fetched(source, sha256)
    told: list[str] = []
    is_kept = False
    try:
        with share_done("Checking") as on_progress:
            index = index and place_of(str(index))
            voice = add_voice(path, store(), name=name, index=index, on_progress=on_progress, tell=told.append)
    except UsageError:  # the user can still choose something of it
        is_kept = True
        raise
    finally:
        if is_fetched and not is_kept:
            shutil.rmtree(path.parent)
    for sentence in told:
        print(sentence, file=sys.stderr)
    print(f"{voice.name} is here: {voice.description}", flush=True)
    begin = "Speak" if _can_speak(voice) else "Then speak"
    print(f"{begin} in it with `rwc-pw use {shlex.quote(voice.name)}`.")


@voices.command()
def remove(name: Name, yes: Annotated[bool, typer.Option("--yes", help="Delete it without asking.")] = False) -> None:
    """Delete one of your own voices."""
    from rwc_pw.rvc.graph_files import forget

    if name in BUILTIN_VOICES:
        raise UsageError(f"{name} is built in.", "Your own voices can be removed.")
    store().check_there(name)
    if name == config().voice:
        raise UsageError(f"{name} is the voice in use.", "Choose another one first, as with `rwc-pw use deeper`.")
    if not yes:
        typer.confirm(f"Delete {name}?", abort=True)
    store().remove(name)
    forget(paths().compiled_dir, name)
    chosen_chunks().forget(name)
    print(f"{name} is gone.")


def _can_speak(voice: RvcVoice) -> bool:
    """Return whether ``voice`` has all that it needs; if not, say what is missing."""
    from rwc_pw.config import assets_dir_of
    from rwc_pw.engine.request import conversion_of
    from rwc_pw.rvc.assets import require

    wanted = config().changed({"voice": voice.name, "pitch": 0.0}, store().names())
    try:
        detector = conversion_of(wanted, chosen_chunks(), paths()).detector
        require(assets_dir_of(config(), paths()), detector.asset if voice.has_pitch else None)
    except RwcPwError as error:
        print(f"It cannot speak yet: {error.message} {error.remedy}")
        return False
    return True


def _fetched(url: str, sha256: str | None) -> Path:
    """Download ``url``; if it is interrupted, the part is kept, and the next attempt resumes it."""
    from rwc_pw.system.download import download

    folder = paths().downloads_dir / hashlib.sha256(url.encode()).hexdigest()[:16]
    make_folder(folder)
    path = folder / fitting_name(unquote(PurePosixPath(urlsplit(url).path).name))
    try:
        with bytes_done() as on_progress:
            told = download(
                _address(url),
                path,
                sha256=sha256,
                most_bytes=LARGEST_FILE_BYTES,
                on_progress=lambda done, whole: on_progress(path.name, done, whole),
            )
    finally:
        with suppress(OSError):  # the file, or a part of it to go on with, is in it
            folder.rmdir()
    return path.replace(folder / fitting_name(told)) if told else path


def _address(url: str) -> str:
    """The address of the file that ``url`` shows, with letters and blanks as servers understand them."""
    file = re.sub(r"^(https://huggingface\.co/.+?/.+?)/blob/", r"\1/resolve/", url.strip())
    return quote(file, safe=string.punctuation)

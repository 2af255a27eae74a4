"""What the commands share: the user's places and settings, the daemon, and how things are shown."""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rwc_pw.config import Config, assets_dir_of, config_of, save_config
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import NoBusError
from rwc_pw.status import Status, describe
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.store import VoiceStore

if TYPE_CHECKING:
    from rwc_pw.control.client import Client
    from rwc_pw.streaming.chunk_choice import ChosenChunks

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Backend = Annotated[str | None, typer.Option("--backend", help="For RVC voices: streaming or batch.")]


def paths() -> Paths:
    return Paths.from_environment(os.environ)


def store() -> VoiceStore:
    return VoiceStore(paths().voices_dir)


def config() -> Config:
    return config_of(paths())


def assets_dir() -> Path:
    """Where what every RVC voice needs lies."""
    return assets_dir_of(config(), paths())


def chosen_chunks() -> "ChosenChunks":
    """The sizes of chunk that were chosen for RVC voices."""
    from rwc_pw.streaming.chunk_choice import ChosenChunks

    return ChosenChunks(paths().chunks_file)


def save(changes: Mapping[str, object]) -> Config:
    return save_config(paths().config_file, changes, store().names())


def voice_name(model: str) -> str:
    """The name of the voice that ``model`` names: a voice, a stored one's folder, or a ``.pth``, brought in if new."""
    from rwc_pw.voices.resolve import stored_folder

    known = model in BUILTIN_VOICES or model in store().names() or not ("/" in model or model.endswith(".pth"))
    return model if known else stored_folder(Path(model), store()).name


def config_in(model: str | None) -> Config:
    """The user's configuration, in the voice that ``model`` names, if one is given."""
    return config() if model is None else config().changed({"voice": voice_name(model)}, store().names())


def given(options: Mapping[str, object]) -> dict[str, object]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def change(**changes: object) -> None:
    """Keep a setting and let the daemon take it over, if one runs."""
    save(changes)
    try:
        running = with_daemon(lambda client: client.reload())
    except NoBusError:
        running = False
    if not running:
        print("RWC Voice is off; this holds from its next start.")


def with_daemon(ask: "Callable[[Client], Coroutine[Any, Any, T]]") -> T:
    from rwc_pw.control.client import Client

    async def run() -> T:
        async with Client() as client:
            return await ask(client)

    return asyncio.run(run())


def print_list(found: list[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    print(json.dumps(found, indent=2) if as_json else "\n".join(map(line, found)))


def print_json(status: Status) -> None:
    print(status.to_json(), flush=True)


def print_status(status: Status) -> None:
    print("\n".join(f"{name:12}{value}" for name, value in describe(status)), flush=True)

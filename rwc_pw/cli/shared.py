"""Parts that the commands share: the user's paths and settings, the daemon, and output."""

import asyncio
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rwc_pw.cli.printing import one_line, print
from rwc_pw.config import Config, assets_dir_of, changed_config, config_of, save_config
from rwc_pw.conversion.rvc_backends import RVC_BACKENDS
from rwc_pw.errors import ConfigError, NoBusError, RwcPwError, UsageError
from rwc_pw.status import State, Status, describe, until_they_leave
from rwc_pw.system.paths import Paths
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.options import INDEX_RATE
from rwc_pw.voices.store import VoiceStore

if TYPE_CHECKING:
    from rwc_pw.control.client import Client
    from rwc_pw.engine.chunk_size import ChosenChunks

T = TypeVar("T")

REAL_VOICE = "Your real voice gets out, until `rwc-pw bypass off`."
LOADING_S = 1.0  # after which what cannot be loaded has mostly failed

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
INDEX_RATE_HELP = f"An RVC voice's share from its index, {INDEX_RATE}."
Backend = Annotated[str | None, typer.Option("--backend", help=f"For RVC voices: {' or '.join(RVC_BACKENDS)}.")]


def paths() -> Paths:
    return Paths.from_environment(os.environ)


def store() -> VoiceStore:
    return VoiceStore(paths().voices_dir)


def config() -> Config:
    return config_of(paths())


def assets_dir() -> Path:
    """The folder with what every RVC voice needs."""
    return assets_dir_of(config(), paths())


def chosen_chunks() -> "ChosenChunks":
    """The chunk sizes chosen for RVC voices."""
    from rwc_pw.engine.chunk_size import ChosenChunks

    return ChosenChunks(paths().chunks_file)


def save(changes: Mapping[str, object]) -> Config:
    return save_config(paths().config_file, changes, store().names())


def voice_name(model: str) -> str:
    """The name of the voice that ``model`` means: a name, a stored voice's folder, or a ``.pth``, imported if new."""
    from rwc_pw.voices.adding.source import place_of
    from rwc_pw.voices.adding.stored_folder import stored_folder

    if model in BUILTIN_VOICES or model in store().names():
        return model
    path = place_of(model)
    if path is None or model.lower().endswith(".zip"):
        raise UsageError("A voice is added before it is used.", f"Run `rwc-pw voices add {shlex.quote(model)}`.")
    is_path = "/" in model or path.suffix.lower() == ".pth"
    return stored_folder(path, store()).name if is_path else model


def microphone_name(wanted: str) -> str:
    """The node name of the microphone that is called ``wanted``; raises what ``name_of_input`` raises."""
    from rwc_pw.pipewire.chosen_input import name_of_input

    current = ""
    with contextlib.suppress(ConfigError):  # which is told when it is changed
        current = config().input_device
    return asyncio.run(name_of_input(wanted, current))


def config_in(model: str | None) -> Config:
    """The user's configuration, with the voice that ``model`` means, if given."""
    return config() if model is None else config().changed({"voice": voice_name(model)}, store().names())


def given(options: Mapping[str, object]) -> dict[str, object]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def change(**changes: object) -> None:
    """Let the daemon change settings, or save them if none runs, and tell what does not hold yet."""
    wanted = changed_config(paths().config_file, changes, store().names()).voice  # the bus cannot carry all values
    try:
        status = with_daemon(lambda client: _changed(client, changes))
    except NoBusError:
        save(changes)
        status = Status()
    if status.state is State.OFF:
        print("RWC Voice is off; this holds from its next start.")
    elif status.bypass:
        print(REAL_VOICE, file=sys.stderr)
    elif status.loading:
        print(f"{status.loading} is being loaded; `rwc-pw status` tells when it speaks.")
    elif status.voice != wanted:
        raise RwcPwError(f"{wanted} does not speak yet: {status.reason}.", status.remedy)


async def _changed(client: "Client", changes: Mapping[str, object]) -> Status:
    """The status once the settings are changed, or while a voice is still being loaded after a moment."""
    await change_through(client, changes)
    status = await client.status()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOADING_S):
            async for status in client.watch():
                if not status.loading:
                    break
    return status


async def change_through(client: "Client", changes: Mapping[str, object]) -> None:
    """Let the daemon change settings; save them if none runs, and tell one that has started meanwhile."""
    if changes and not await client.set(changes):
        save(changes)
        await client.reload()


def tell_who_keeps_it(listeners: list[str]) -> None:
    """Tell why RWC Voice was not removed, if apps record it."""
    if listeners:
        print(
            f"RWC Voice stays, {until_they_leave(listeners)}: "
            "without it, your real microphone would be recorded there.",
            file=sys.stderr,
        )


def with_daemon(ask: "Callable[[Client], Coroutine[Any, Any, T]]") -> T:
    from rwc_pw.control.client import Client

    async def run() -> T:
        async with Client() as client:
            return await ask(client)

    return asyncio.run(run())


def print_list(found: list[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for one in found:
        print(line({key: one_line(value) if isinstance(value, str) else value for key, value in one.items()}))


def print_json(status: Status) -> None:
    print(status.to_json(), flush=True)


def print_status(status: Status) -> None:
    print("\n".join(f"{name:12}{one_line(value)}" for name, value in describe(status)), flush=True)

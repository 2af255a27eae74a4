"""Commands for the microphone: on, off, status, mute, bypass."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rwc_pw.cli.edge import run_until_signal, until_signal
from rwc_pw.cli.printing import print
from rwc_pw.cli.shared import (
    REAL_VOICE,
    AsJson,
    change_through,
    config,
    paths,
    print_json,
    print_status,
    save,
    store,
    tell_who_keeps_it,
    voice_name,
    with_daemon,
)
from rwc_pw.config import changed_config
from rwc_pw.errors import NoBusError, RwcPwError, UnavailableError
from rwc_pw.status import State, Status

if TYPE_CHECKING:
    from rwc_pw.control.client import Client

# Whatever loads numpy, the bus or a server's library is imported in the command that uses it:
# `rwc-pw status` has to answer at once.

OnOff = Annotated[Literal["on", "off"], typer.Argument()]
OnOffToggle = Annotated[Literal["on", "off", "toggle"], typer.Argument()]


def enable(
    voice: Annotated[str, typer.Option("--voice", help="The voice to begin with: its name, or a .pth.")] = "",
) -> None:
    """Switch RWC Voice on, now and at every login."""
    from rwc_pw.desktop import launcher, registration

    changes = {"voice": voice_name(voice)} if voice else {}
    # a wrong configuration is better reported here than in the daemon's log
    changed_config(paths().config_file, changes, store().names()) if changes else config()
    registration.register(paths(), launcher.command())

    async def switch_on(client: "Client") -> Status:
        await change_through(client, changes)
        return await client.start()

    try:
        status = with_daemon(switch_on)
    except NoBusError:
        if changes:
            save(changes)
        raise
    if status.reason:
        print(f"RWC Voice is on, but silent for now: {status.reason}. {status.remedy}".rstrip())
    else:
        print("RWC Voice is on: choose it as the microphone in any app.")
    if status.bypass:
        print(REAL_VOICE)


def disable() -> None:
    """Switch RWC Voice off and leave nothing of it running or registered.

    While an app records it, it stays, silent: without it, that app would be given the real microphone.
    """
    from rwc_pw.desktop import registration
    from rwc_pw.pipewire.farewell import take_leave

    registration.unregister(paths())
    stop_daemon()
    listeners = asyncio.run(take_leave())
    print("RWC Voice is off.")
    tell_who_keeps_it(listeners)


def uninstall(yes: Annotated[bool, typer.Option("--yes", help="Delete voices without asking.")] = False) -> None:
    """Switch RWC Voice off and remove its settings, its voices and the program."""
    from rwc_pw.desktop.removal import program_files, remove, remove_empty_folders

    disable()
    voices = paths().installed_voices_dir  # those in a checkout stay
    if voices.is_dir() and (yes or (sys.stdin.isatty() and typer.confirm(f"Delete the voices in {voices}?"))):
        remove([voices])
    elif voices.is_dir():
        print(f"The voices in {voices} stay.")
    for path in remove(program_files(paths())):
        print(f"Removed {path}.")
    remove_empty_folders(paths().data_dir, paths().data_home)


def status(
    as_json: AsJson = False, watch: Annotated[bool, typer.Option("--watch", help="Print every change, too.")] = False
) -> None:
    """Tell what RWC Voice does, to whom, and with what delay."""
    show = print_json if as_json else print_status
    if watch:
        run_until_signal(_watch(show))
        return
    try:
        told = with_daemon(lambda client: client.status())
    except NoBusError as error:  # without a bus there is no daemon, which is a valid answer
        told = Status(reason=error.fault.reason, remedy=error.remedy)
    show(asyncio.run(_with_farewell(told)))


def mute(state: OnOffToggle = "on") -> None:
    """Mute RWC Voice, or `mute off` to be heard again; `mute toggle` suits a key."""
    from rwc_pw.pipewire.devices import mute_voice

    mute_voice(None if state == "toggle" else state == "on")


def bypass(state: OnOff) -> None:
    """Let the real voice out: the only way it ever gets out. Forgotten at every start."""
    if not with_daemon(lambda client: client.set_bypass(state == "on")):
        raise RwcPwError("RWC Voice is off.", "Run `rwc-pw enable`.")
    if state == "on":
        print(REAL_VOICE)


def daemon() -> None:
    """Feed RWC Voice until told to end; the session starts this."""
    from rwc_pw.daemon import Daemon

    async def run() -> None:
        await until_signal(Daemon(paths()).run())

    asyncio.run(run())


def stop_daemon() -> None:
    """End the daemon, if one runs, and wait for it."""
    with contextlib.suppress(NoBusError):  # without a bus there is no daemon
        with_daemon(lambda client: client.stop())


async def _watch(show: Callable[[Status], None]) -> None:
    from rwc_pw.control.client import Client

    async with Client() as client:
        async for status in client.watch():
            show(await _with_farewell(status))


async def _with_farewell(status: Status) -> Status:
    """The status, and, if RWC Voice is off, who still listens to it."""
    from rwc_pw.pipewire.source import read_graph

    if status.state is not State.OFF:
        return status
    try:
        graph = await read_graph()
    except UnavailableError:
        return status
    listeners = () if graph.feeders() else tuple(node.label for node in graph.listeners())
    return status.heard_by(listeners, stays=paths().drop_in.exists())

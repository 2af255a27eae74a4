"""The command line: the only module that prints."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperGroup

from rwc_pw import __version__
from rwc_pw.config import load_config, save_config
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import EXIT_FAILED, EXIT_INTERRUPTED, RwcPwError, UnavailableError, UsageError
from rwc_pw.status import Status, describe
from rwc_pw.voices.builtin import BUILTIN_VOICES

# Whatever loads numpy, the bus or a server's library is imported by the command that uses it:
# `rwc-pw status` has to answer at once.

if TYPE_CHECKING:
    from rwc_pw.control.client import Client

T = TypeVar("T")

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class _Edge(TyperGroup):
    """Where every error becomes a sentence, the next step and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
            raise SystemExit(EXIT_FAILED) from None
        except RwcPwError as error:
            _complain(ctx, error, error.message, error.remedy)
            raise SystemExit(error.exit_code) from None
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise  # usage errors and exits are typer's to tell
            _complain(ctx, error, f"Something unforeseen failed: {error!r}.", "Run it again with `rwc-pw --debug …`.")
            raise SystemExit(EXIT_FAILED) from None


def _complain(ctx: Any, error: Exception, message: str, remedy: str) -> None:
    if ctx.params.get("debug"):
        logging.getLogger(__name__).error("", exc_info=error)
    print(f"rwc-pw: {message}", *([remedy] if remedy else []), sep="\n        ", file=sys.stderr)


app = typer.Typer(
    cls=_Edge,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A PipeWire microphone that speaks in another voice.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OnOff = Annotated[Literal["on", "off"], typer.Argument()]
Pitch = Annotated[float | None, typer.Option("--pitch", help="Semitones added to the voice's pitch, -24 to 24.")]
Formant = Annotated[float | None, typer.Option("--formant", help="Semitones added to its formants, -12 to 12.")]


@app.callback(invoke_without_command=True)
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Log everything, and show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if version:
        print(f"rwc-pw {__version__}")
        raise typer.Exit


@app.command()
def enable(voice: Annotated[str, typer.Option("--voice", help="The voice to begin with.")] = "") -> None:
    """Switch RWC Voice on, now and at every login."""
    from rwc_pw.desktop import launcher, registration

    # what is wrong with the configuration is better told here than in the daemon's log
    save_config(_paths().config_file, {"voice": voice}) if voice else load_config(_paths().config_file)
    registration.register(_paths(), launcher.command())
    status = _with_daemon(lambda client: client.start())
    if voice:
        _with_daemon(lambda client: client.reload())  # it may have been running
    print("RWC Voice is on: choose it as the microphone in any app.")
    if status.reason:
        print(f"For now it is silent: {status.reason}.")


@app.command()
def disable() -> None:
    """Switch RWC Voice off and leave nothing of it running or registered."""
    from rwc_pw.desktop import registration
    from rwc_pw.pipewire.source import remove_source

    registration.unregister(_paths())
    _stop_daemon()
    asyncio.run(remove_source())
    print("RWC Voice is off.")


@app.command()
def uninstall(yes: Annotated[bool, typer.Option("--yes", help="Delete voices without asking.")] = False) -> None:
    """Switch RWC Voice off and remove its settings, its voices and the program."""
    from rwc_pw.desktop.removal import program_files, remove, voice_folder

    disable()
    voices = voice_folder(_paths())
    if voices.is_dir() and (yes or (sys.stdin.isatty() and typer.confirm(f"Delete the voices in {voices}?"))):
        remove([voices])
    elif voices.is_dir():
        print(f"The voices in {voices} stay.")
    for path in remove(program_files(_paths())):
        print(f"Removed {path}.")


@app.command()
def status(
    as_json: AsJson = False, watch: Annotated[bool, typer.Option("--watch", help="Go on with every change.")] = False
) -> None:
    """Tell what RWC Voice does, to whom, and with what delay."""
    show = _print_json if as_json else _print_status
    if watch:
        return asyncio.run(_watch(show))
    try:
        show(_with_daemon(lambda client: client.status()))
    except UnavailableError as error:  # without a bus there is no daemon, and that is an answer
        show(Status(reason=error.message))


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List the microphones that RWC Voice can listen to."""
    from rwc_pw.pipewire.devices import list_devices

    chosen = load_config(_paths().config_file).input_device
    found = [{**asdict(device), "is_chosen": device.name == chosen} for device in list_devices()]
    _print_list(found, as_json, _device_line)


@app.command()
def voices(as_json: AsJson = False) -> None:
    """List the voices to speak in."""
    current = load_config(_paths().config_file).voice
    found = [{**asdict(voice), "is_current": name == current} for name, voice in BUILTIN_VOICES.items()]
    _print_list(
        found, as_json, lambda voice: f"{'*' if voice['is_current'] else ' '} {voice['name']:10} {voice['description']}"
    )


@app.command()
def use(name: Annotated[str, typer.Argument(help="A voice that `rwc-pw voices` lists.")]) -> None:
    """Speak in another voice from now on, also while people listen."""
    _change(voice=name)


@app.command("set")
def set_(
    pitch: Pitch = None,
    formant: Formant = None,
    gain: Annotated[float | None, typer.Option("--gain", help="Decibels added, -60 to 24.")] = None,
    gate: Annotated[float | None, typer.Option("--gate", help="Silence below so many dBFS, -120 to 0.")] = None,
    input_device: Annotated[
        str | None, typer.Option("--input-device", help="A name that `rwc-pw devices` lists; '' for the default.")
    ] = None,
) -> None:
    """Change the voice or the microphone, also while people listen."""
    asked = {"pitch": pitch, "formant": formant, "gain": gain, "gate": gate, "input_device": input_device}
    changes = _given(asked)
    if not changes:
        raise UsageError("There is nothing to set.", "Give at least one option; `rwc-pw set --help` lists them.")
    _change(**changes)


@app.command()
def mute(state: OnOff = "on") -> None:
    """Mute RWC Voice, or `mute off` to be heard again."""
    from rwc_pw.pipewire.devices import mute_voice

    mute_voice(state == "on")


@app.command()
def bypass(state: OnOff) -> None:
    """Let the real voice out: the only way it ever gets out. Forgotten at every start."""
    if not _with_daemon(lambda client: client.set_bypass(state == "on")):
        raise RwcPwError("RWC Voice is off.", "Run `rwc-pw enable`.")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything that RWC Voice stands on, and tell what to mend."""
    from rwc_pw.doctor import examine

    checks = [asdict(check) for check in asyncio.run(examine(_paths()))]
    _print_list(checks, as_json, _check_lines)
    if any(check["verdict"] == "fail" for check in checks):
        raise typer.Exit(EXIT_FAILED)


@app.command("real-time")
def real_time(
    chunk_size: Annotated[
        int | None, typer.Option("--chunk-size", "-c", min=1024, max=16384, help="Samples of one conversion.")
    ] = None,
    pitch_shift: Annotated[
        float | None, typer.Option("--pitch-shift", "-p", min=-24, max=24, help="Semitones added to the voice's pitch.")
    ] = None,
    index_rate: Annotated[
        float | None, typer.Option("--index-rate", "-r", min=0, max=1, help="Retrieval's share; for RVC voices alone.")
    ] = None,
    input_device: Annotated[str | None, typer.Option("--input-device", help="The microphone's name.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The voice to speak in.")] = None,
) -> None:
    """Feed RWC Voice from this terminal, with meters, until Ctrl-C."""
    from rwc_pw.foreground import run

    asked = {"voice": model, "pitch": pitch_shift, "input_device": input_device, "chunk_size": chunk_size}
    config = load_config(_paths().config_file).changed(
        {key: value for key, value in asked.items() if value is not None}
    )
    if index_rate is not None:
        print(f"{config.voice} is a built-in voice: --index-rate changes nothing.", file=sys.stderr)
    if received := asyncio.run(_until_signal(run(config))):
        raise SystemExit(128 + received)


@app.command()
def demo(
    input: Annotated[
        Path | None, typer.Option("--input", help="Speech to convert, any format soundfile reads.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="The folder for what was said and heard.")] = Path(
        "rwc-pw-demo"
    ),
) -> None:
    """Let a pretend app record RWC Voice on a private PipeWire, and show what it heard."""
    from rwc_pw.demo.demo import run_demo

    result = run_demo(load_config(_paths().config_file), input, output)
    for path in (result.spoken, result.heard, result.picture):
        print(path)
    print(f"Measured from the microphone to the app: {result.latency_ms:.1f} ms ({result.declared_ms:.1f} declared).")


@app.command(hidden=True)
def daemon() -> None:
    """Feed RWC Voice until told to end; the session starts this."""
    from rwc_pw.daemon import Daemon

    async def run() -> None:
        await Daemon(_paths()).run()

    asyncio.run(run())


def main() -> None:
    """The program's entry point."""
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(number, _end)
    app()


def _end(number: int, _: object) -> None:
    """What Ctrl-C leaves behind, the others leave behind, too: nothing."""
    for ignored in ENDING_SIGNALS:  # a session that ends sends both
        signal.signal(ignored, signal.SIG_IGN)
    raise SystemExit(128 + number)


async def _until_signal(work: Coroutine[Any, Any, None]) -> int:
    """Do the work; the signal that ended it, or 0. It is cancelled in order, as asyncio does it for Ctrl-C:
    an exception out of a signal handler would end whichever task it met, and the others would wait for that."""
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        task.cancel()

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is _end:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received else 0


def _paths() -> Paths:
    return Paths.from_environment(os.environ)


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _change(**changes: object) -> None:
    save_config(_paths().config_file, changes)
    try:
        running = _with_daemon(lambda client: client.reload())
    except UnavailableError:
        running = False
    if not running:
        print("RWC Voice is off; this holds from its next start.")


def _with_daemon(ask: "Callable[[Client], Coroutine[Any, Any, T]]") -> T:
    from rwc_pw.control.client import Client

    async def run() -> T:
        async with Client() as client:
            return await ask(client)

    return asyncio.run(run())


def _stop_daemon() -> None:
    with contextlib.suppress(UnavailableError):  # without a bus there is no daemon
        _with_daemon(lambda client: client.stop())


async def _watch(show: Callable[[Status], None]) -> None:
    from rwc_pw.control.client import Client

    async with Client() as client:
        async for status in client.watch():
            show(status)


def _print_list(found: list[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    print(json.dumps(found, indent=2) if as_json else "\n".join(map(line, found)))


def _device_line(device: dict[str, Any]) -> str:
    notes = {"is_chosen": "chosen", "is_default": "default", "is_monitor": "what the speakers play", "muted": "muted"}
    told = ", ".join(note for key, note in notes.items() if device[key])
    return f"{device['name']}  {device['description']}" + (f"  ({told})" if told else "")


def _check_lines(check: dict[str, Any]) -> str:
    remedy = f"\n      {check['remedy']}" if check["remedy"] else ""
    return f"{check['verdict'].upper():4}  {check['name']}: {check['finding']}{remedy}"


def _print_json(status: Status) -> None:
    print(status.to_json(), flush=True)


def _print_status(status: Status) -> None:
    print("\n".join(f"{name:12}{value}" for name, value in describe(status)), flush=True)

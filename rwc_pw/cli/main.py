"""The command line: `rwc-pw` and its commands."""

import logging
from typing import Annotated

import typer

from rwc_pw import __version__
from rwc_pw.cli import diagnosis, microphone, rvc, sound, voices
from rwc_pw.cli.edge import Edge, end_in_order
from rwc_pw.cli.printing import PrintableFormatter, print

app = typer.Typer(
    cls=Edge,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A PipeWire microphone that speaks in another voice.",
)


@app.callback(invoke_without_command=True)
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Log everything, and show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    logs = logging.StreamHandler()
    logs.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[logs])
    if version:
        print(f"rwc-pw {__version__}")
        raise typer.Exit


for command in (
    microphone.enable,
    microphone.disable,
    microphone.status,
    microphone.mute,
    microphone.bypass,
    sound.use,
    diagnosis.devices,
    diagnosis.doctor,
    diagnosis.demo,
    rvc.setup,
    rvc.convert,
    diagnosis.bench,
    microphone.uninstall,
):
    app.command()(command)
app.add_typer(voices.voices, name="voices")
app.command("set")(sound.set_)
app.command("real-time")(sound.real_time)
app.command(hidden=True)(microphone.daemon)


def main() -> None:
    """The program's entry point."""
    end_in_order()
    app()

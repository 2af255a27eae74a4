"""Commands for what is heard: the voice, its settings, this terminal."""

import asyncio
import sys
from typing import Annotated

import typer

from rwc_pw.cli.edge import until_signal
from rwc_pw.cli.shared import Backend, change, config_in, given, paths, store
from rwc_pw.errors import UsageError

Pitch = Annotated[float | None, typer.Option("--pitch", help="Semitones added to the voice's pitch, -24 to 24.")]
Formant = Annotated[float | None, typer.Option("--formant", help="Semitones added to its formants, -12 to 12.")]


def use(name: Annotated[str, typer.Argument(help="A voice that `rwc-pw voices` lists.")]) -> None:
    """Speak in another voice from now on, also while people listen."""
    change(voice=name)


def set_(
    pitch: Pitch = None,
    formant: Formant = None,
    gain: Annotated[float | None, typer.Option("--gain", help="Decibels added, -60 to 24.")] = None,
    gate: Annotated[float | None, typer.Option("--gate", help="Silence below so many dBFS, -120 to 0.")] = None,
    index_rate: Annotated[
        float | None, typer.Option("--index-rate", help="An RVC voice's share from its index, 0 to 1.")
    ] = None,
    protect: Annotated[
        float | None, typer.Option("--protect", help="Consonants kept from the index, 0 (most) to 0.5 (none).")
    ] = None,
    rms_mix_rate: Annotated[
        float | None, typer.Option("--rms-mix-rate", help="An RVC voice's own loudness: 1; yours: 0.")
    ] = None,
    f0_method: Annotated[
        str | None, typer.Option("--f0-method", help="What finds the pitch: auto, fcpe, swiftf0 or rmvpe.")
    ] = None,
    backend: Backend = None,
    look_ahead: Annotated[
        int | None, typer.Option("--look-ahead", help="How far an RVC voice looks ahead, 10 to 160 ms.")
    ] = None,
    chunk_size: Annotated[
        int | None,
        typer.Option("--chunk-size", help="Samples of one conversion by an RVC voice; 0: what is held here."),
    ] = None,
    input_device: Annotated[
        str | None, typer.Option("--input-device", help="A name that `rwc-pw devices` lists; '' for the default.")
    ] = None,
) -> None:
    """Change the voice or the microphone, also while people listen."""
    asked = {"pitch": pitch, "formant": formant, "gain": gain, "gate": gate, "input_device": input_device}
    rvc = {"index_rate": index_rate, "protect": protect, "rms_mix_rate": rms_mix_rate, "f0_method": f0_method}
    changes = given({**asked, **rvc, "rvc_backend": backend, "look_ahead": look_ahead, "rvc_chunk_size": chunk_size})
    if not changes:
        raise UsageError("There is nothing to set.", "Give at least one option; `rwc-pw set --help` lists them.")
    change(**changes)


def real_time(
    chunk_size: Annotated[
        int | None, typer.Option("--chunk-size", "-c", min=960, max=16384, help="Samples of one conversion.")
    ] = None,
    pitch_shift: Annotated[
        float | None, typer.Option("--pitch-shift", "-p", min=-24, max=24, help="Semitones added to the voice's pitch.")
    ] = None,
    index_rate: Annotated[
        float | None, typer.Option("--index-rate", "-r", min=0, max=1, help="Retrieval's share; for RVC voices alone.")
    ] = None,
    input_device: Annotated[str | None, typer.Option("--input-device", help="The microphone's name.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The voice to speak in.")] = None,
    backend: Backend = None,
) -> None:
    """Feed RWC Voice from this terminal, with meters, until Ctrl-C."""
    from rwc_pw.foreground import run

    chosen = config_in(model)
    size = "rvc_chunk_size" if chosen.is_rvc else "chunk_size"
    asked = {"pitch": pitch_shift, "input_device": input_device, size: chunk_size, "index_rate": index_rate}
    chosen = chosen.changed(given({**asked, "rvc_backend": backend}), store().names())
    if index_rate is not None and not chosen.is_rvc:
        print(f"{chosen.voice} is a built-in voice: --index-rate changes nothing.", file=sys.stderr)
    if received := asyncio.run(until_signal(run(chosen, paths()))):
        raise SystemExit(128 + received)

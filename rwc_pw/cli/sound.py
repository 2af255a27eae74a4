"""Commands for the sound: choose a voice, change settings, run in this terminal."""

import json
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from rwc_pw.cli.edge import run_until_signal
from rwc_pw.cli.printing import print
from rwc_pw.cli.shared import (
    INDEX_RATE_HELP,
    Backend,
    change,
    config,
    config_in,
    given,
    microphone_name,
    paths,
    store,
    voice_name,
)
from rwc_pw.config import Config
from rwc_pw.errors import UnavailableError
from rwc_pw.rvc.detectors import F0_METHODS
from rwc_pw.voices import options

Pitch = Annotated[float | None, typer.Option("--pitch", help=f"Semitones added to the voice's pitch, {options.PITCH}.")]
Formant = Annotated[
    float | None, typer.Option("--formant", help=f"Semitones added to its formants, {options.FORMANT}.")
]

InputDevice = Annotated[
    str | None,
    typer.Option("--input-device", help="A microphone, as `rwc-pw devices` or a mixer calls it; '' for the default."),
]
InputChannel = Annotated[
    str | None,
    typer.Option("--input-channel", help="Its channel: auto (where the voice is), a number from 1, or mix."),
]


def use(
    voice: Annotated[str, typer.Argument(help="A voice that `rwc-pw voices` lists, or a .pth.")],
    pitch: Pitch = None,
    formant: Formant = None,
) -> None:
    """Speak in another voice from now on, also while people listen."""
    change(voice=voice_name(voice), **given({"pitch": pitch, "formant": formant}))


def set_(
    pitch: Pitch = None,
    formant: Formant = None,
    gain: Annotated[float | None, typer.Option("--gain", help=f"Decibels added, {options.GAIN_DB}.")] = None,
    gate: Annotated[
        float | None, typer.Option("--gate", help=f"Silence below so many dBFS, {options.GATE_DB}.")
    ] = None,
    index_rate: Annotated[float | None, typer.Option("--index-rate", help=INDEX_RATE_HELP)] = None,
    protect: Annotated[
        float | None,
        typer.Option("--protect", help=f"Consonants kept from the index, {options.PROTECT}: 0 keeps most."),
    ] = None,
    rms_mix_rate: Annotated[
        float | None, typer.Option("--rms-mix-rate", help="An RVC voice's own loudness: 1; yours: 0.")
    ] = None,
    f0_method: Annotated[
        str | None, typer.Option("--f0-method", help=f"The pitch detector of RVC voices: {', '.join(F0_METHODS)}.")
    ] = None,
    backend: Backend = None,
    look_ahead: Annotated[
        int | None,
        typer.Option("--look-ahead", help=f"How far an RVC voice looks ahead, {options.LOOK_AHEAD_MS} ms."),
    ] = None,
    chunk_size: Annotated[
        int | None,
        typer.Option(
            "--chunk-size",
            help="Chunk length for the voice in use, in samples (0 = automatic).",
        ),
    ] = None,
    input_device: InputDevice = None,
    input_channel: InputChannel = None,
    pin_volume: Annotated[
        Literal["on", "off"] | None,
        typer.Option("--pin-volume", help="on: keep RWC Voice at 100 %, also against apps."),
    ] = None,
) -> None:
    """Change the voice or the microphone, also while people listen; without options, print all settings."""
    if input_device is not None:
        try:
            input_device = microphone_name(input_device)
        except UnavailableError as error:
            print(
                f"{error.message} {input_device} is kept as it is, and looked for once PipeWire runs.", file=sys.stderr
            )
    microphone = {"input_device": input_device, "input_channel": input_channel}
    asked = {"pitch": pitch, "formant": formant, "gain": gain, "gate": gate}
    rvc = {"index_rate": index_rate, "protect": protect, "rms_mix_rate": rms_mix_rate, "f0_method": f0_method}
    changes = given({**microphone, **asked, **rvc, "rvc_backend": backend, "look_ahead": look_ahead})
    if pin_volume:
        changes["pin_volume"] = pin_volume == "on"
    if chunk_size is not None:
        key = config().chunk_size_key
        changes[key] = chunk_size or getattr(Config(), key)
    if changes:
        change(**changes)
    else:
        _print_settings()


def real_time(
    chunk_size: Annotated[int | None, typer.Option("--chunk-size", "-c", help="Chunk length in samples.")] = None,
    pitch_shift: Annotated[
        float | None, typer.Option("--pitch-shift", "--pitch", "-p", help="Semitones added to the voice's pitch.")
    ] = None,
    index_rate: Annotated[float | None, typer.Option("--index-rate", "-r", help=INDEX_RATE_HELP)] = None,
    input_device: InputDevice = None,
    input_channel: InputChannel = None,
    model: Annotated[
        str | None, typer.Option("--model", "--voice", "-m", help="The voice to speak in: its name, or a .pth.")
    ] = None,
    backend: Backend = None,
) -> None:
    """Feed RWC Voice from this terminal, with meters, until Ctrl-C."""
    from rwc_pw.cli.terminal import run

    chosen = config_in(model)
    name = None if input_device is None else microphone_name(input_device)
    microphone = {"input_device": name, "input_channel": input_channel}
    asked = {"pitch": pitch_shift, "index_rate": index_rate, chosen.chunk_size_key: chunk_size}
    chosen = chosen.changed(given({**microphone, **asked, "rvc_backend": backend}), store().names())
    if index_rate is not None and not chosen.is_rvc:
        print(f"{chosen.voice} is a built-in voice: --index-rate changes nothing.", file=sys.stderr)
    run_until_signal(run(chosen, paths()))


def _print_settings() -> None:
    """As config.toml has them."""
    usual = asdict(Config())
    for key, value in asdict(config()).items():
        note = "" if value == usual[key] else f"  # by default {json.dumps(usual[key])}"
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}{note}")

"""Diagnostic commands: microphones, dependencies, how fast a voice is, how it sounds."""

import asyncio
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rwc_pw.cli.printing import print
from rwc_pw.cli.shared import (
    AsJson,
    Backend,
    chosen_chunks,
    config,
    config_in,
    given,
    paths,
    print_list,
    store,
)
from rwc_pw.errors import EXIT_FAILED, UsageError
from rwc_pw.system.writing import refusal

if TYPE_CHECKING:
    from rwc_pw.bench import ChunkFigures


def devices(as_json: AsJson = False) -> None:
    """List the microphones that RWC Voice can listen to."""
    from rwc_pw.pipewire.devices import list_devices

    chosen = config().input_device
    found = [{**asdict(device), "is_chosen": chosen in (device.name, device.description)} for device in list_devices()]
    print_list(found, as_json, _device_line)
    if not found and not as_json:
        print("There is no microphone.")


def doctor(as_json: AsJson = False) -> None:
    """Check everything that RWC Voice depends on, and say how to fix it."""
    from rwc_pw.doctor import examine

    checks = [asdict(check) for check in asyncio.run(examine(paths()))]
    print_list(checks, as_json, _check_lines)
    if any(check["verdict"] == "fail" for check in checks):
        raise typer.Exit(EXIT_FAILED)


def bench(
    voice: Annotated[str | None, typer.Option("--voice", help="A voice, or a .pth; the one in use if none.")] = None,
    backend: Backend = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, max=600, help="Seconds of sound for each chunk size.")
    ] = 10,
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw a chart: a .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a voice on this machine, and recommend a chunk size."""
    from rwc_pw.bench import bench, recommended
    from rwc_pw.conversion.device import device_of
    from rwc_pw.engine.request import conversion_of, is_chunk_ours

    if not math.isfinite(seconds):
        raise UsageError(f"--seconds is {seconds}.", "Give a number from 1 to 600.")
    if picture and not (picture.suffix.lower() == ".png" and picture.parent.is_dir()):
        raise UsageError(f"No picture can be written to {picture}.", "Name a .png in a folder that exists.")
    chosen = config_in(voice).changed(given({"rvc_backend": backend}), store().names())
    found = []
    kept = chosen_chunks()
    conversion = conversion_of(chosen, kept, paths())
    device = device_of(conversion)
    for figures in bench(conversion, seconds, chosen.quantum):
        found.append(figures)
        if not as_json:
            print(_bench_line(figures), flush=True)
    best = recommended(found)
    current = config()
    is_in_use = (chosen.chunk_size_key, chosen.rvc_backend) == (current.chunk_size_key, current.rvc_backend)
    is_kept = best and is_chunk_ours(chosen) and device_of(conversion) == device  # else the GPU failed meanwhile
    if best and is_kept:
        kept.keep(conversion, best.chunk_samples)
    if as_json:
        told = {"voice": chosen.voice, "device": device, "chunks": list(map(asdict, found))}
        print(json.dumps({**told, "recommended": best and best.chunk_samples}))
    elif best:
        print(f"Recommended: chunks of {best.chunk_samples} samples, {best.delay_ms:.0f} ms from microphone to app.")
        if is_in_use:
            choose = f"Choose it: `rwc-pw set --chunk-size {best.chunk_samples}`."
            print("It is kept for this voice." if is_kept else choose)
    else:
        print("This machine keeps up with none of them: a GPU or a built-in voice would help.")
    if picture:
        _draw(found, f"{chosen.voice} on this machine", picture)


def demo(
    voice: Annotated[str | None, typer.Option("--voice", help="The voice to speak in; the one in use if none.")] = None,
    input: Annotated[
        Path | None, typer.Option("--input", help="Speech to convert, any format soundfile reads.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="The folder for the input and the output.")] = Path(
        "rwc-pw-demo"
    ),
) -> None:
    """Let a pretend app record RWC Voice on a private PipeWire, and show what it heard."""
    from rwc_pw.demo.demo import run_demo

    result = run_demo(config_in(voice), paths(), input, output)
    for path in (result.spoken, result.heard, result.picture):
        print(path)
    print(f"Measured from the microphone to the app: {result.latency_ms:.1f} ms ({result.declared_ms:.1f} declared).")
    if result.reason:
        print(f"Not all was well: {result.reason}.", file=sys.stderr)


def _device_line(device: dict[str, Any]) -> str:
    notes = {"is_chosen": "chosen", "is_default": "default", "is_monitor": "what the speakers play", "muted": "muted"}
    told = ", ".join(note for key, note in notes.items() if device[key])
    if device["channels"] > 1:
        told = ", ".join(filter(None, (f"{device['channels']} channels", told)))
    return f"{device['name']}  {device['description']}" + (f"  ({told})" if told else "")


def _check_lines(check: dict[str, Any]) -> str:
    remedy = f"\n      {check['remedy']}" if check["remedy"] else ""
    return f"{check['verdict'].upper():4}  {check['name']}: {check['finding']}{remedy}"


def _bench_line(figures: "ChunkFigures") -> str:
    verdict = f"keeps up, {figures.delay_ms:.0f} ms from microphone to app" if figures.keeps_up else "too slow"
    times = f"{figures.median_ms:6.1f} {figures.p95_ms:6.1f} {figures.p99_ms:6.1f} ms"
    return f"{figures.chunk_samples:5} samples, {figures.chunk_ms:5.1f} ms: 50, 95, 99 % within {times}; {verdict}"


def _draw(found: "Sequence[ChunkFigures]", title: str, picture: Path) -> None:
    from rwc_pw.pictures.chart import draw_chart

    with tempfile.TemporaryDirectory() as scratch:
        drawn = draw_chart(found, title, Path(scratch))
    try:
        picture.write_bytes(drawn)
    except OSError as error:
        raise refusal("write", picture, error) from error

"""Commands that tell how things are: microphones, all it stands on, how fast a voice is, how it sounds."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from rwc_pw.desktop.files import refusal
from rwc_pw.errors import EXIT_FAILED

if TYPE_CHECKING:
    from rwc_pw.bench import ChunkFigures


def devices(as_json: AsJson = False) -> None:
    """List the microphones that RWC Voice can listen to."""
    from rwc_pw.pipewire.devices import list_devices

    chosen = config().input_device
    found = [{**asdict(device), "is_chosen": device.name == chosen} for device in list_devices()]
    print_list(found, as_json, _device_line)


def doctor(as_json: AsJson = False) -> None:
    """Check everything that RWC Voice stands on, and tell what to mend."""
    from rwc_pw.doctor import examine

    checks = [asdict(check) for check in asyncio.run(examine(paths()))]
    print_list(checks, as_json, _check_lines)
    if any(check["verdict"] == "fail" for check in checks):
        raise typer.Exit(EXIT_FAILED)


def bench(
    voice: Annotated[str | None, typer.Option("--voice", help="A voice, or a .pth; the one in use if none.")] = None,
    backend: Backend = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="Of sound, for each size.")] = 10,
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw a chart: a .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a voice on this machine, and recommend a size of chunk."""
    from rwc_pw.asked import conversion_of, is_chunk_ours
    from rwc_pw.bench import bench, smallest_held

    chosen = config_in(voice).changed(given({"rvc_backend": backend}), store().names())
    found = []
    kept = chosen_chunks()
    conversion = conversion_of(chosen, kept, paths())
    for figures in bench(conversion, seconds, chosen.quantum):
        found.append(figures)
        if not as_json:
            print(_bench_line(figures), flush=True)
    best = smallest_held(found)
    if picture:
        _draw(found, f"{chosen.voice} on this machine", picture)
    if best and is_chunk_ours(chosen):
        kept.keep(conversion, best.chunk_samples)
    if as_json:
        recommended = best and best.chunk_samples
        print(json.dumps({"voice": chosen.voice, "chunks": list(map(asdict, found)), "recommended": recommended}))
    elif best:
        print(f"Recommended: chunks of {best.chunk_samples} samples, {best.delay_ms:.0f} ms from microphone to app.")
    else:
        print("This machine keeps up with none of them: a graphics card or a built-in voice would help.")


def demo(
    voice: Annotated[str | None, typer.Option("--voice", help="The voice to speak in; the one in use if none.")] = None,
    input: Annotated[
        Path | None, typer.Option("--input", help="Speech to convert, any format soundfile reads.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="The folder for what was said and heard.")] = Path(
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
    return f"{device['name']}  {device['description']}" + (f"  ({told})" if told else "")


def _check_lines(check: dict[str, Any]) -> str:
    remedy = f"\n      {check['remedy']}" if check["remedy"] else ""
    return f"{check['verdict'].upper():4}  {check['name']}: {check['finding']}{remedy}"


def _bench_line(figures: "ChunkFigures") -> str:
    verdict = f"holds, {figures.delay_ms:.0f} ms from microphone to app" if figures.holds else "does not hold"
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

"""Commands for RVC voices: what they need, bringing them in, converting files with them."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from rwc_pw.cli.progress import bytes_done, share_done
from rwc_pw.cli.shared import AsJson, Backend, assets_dir, config, config_in, given, paths, print_list, store
from rwc_pw.desktop.files import refusal
from rwc_pw.errors import EXIT_FAILED, RwcPwError, UsageError
from rwc_pw.voices.builtin import BUILTIN_VOICES, PITCH_RANGE_SEMITONES
from rwc_pw.voices.rvc_voice import STREAMING

if TYPE_CHECKING:
    from rwc_pw.bench import ChunkFigures
    from rwc_pw.streaming.chunk_choice import ChosenChunks

LARGEST_DOWNLOAD_BYTES = 2 << 30

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
    found = [
        {"name": name, "kind": "built in", "description": voice.description, "is_current": name == current}
        for name, voice in BUILTIN_VOICES.items()
    ]
    found += [
        {"name": name, "kind": "RVC", "description": _description(name), "is_current": name == current}
        for name in store().names()
    ]
    print_list(
        found, as_json, lambda voice: f"{'*' if voice['is_current'] else ' '} {voice['name']:10} {voice['description']}"
    )


@voices.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what is known of one voice."""
    voice = BUILTIN_VOICES.get(name) or store().find(name)
    items: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in asdict(voice).items()]
    if as_json:
        print_list([asdict(voice)], as_json, str)
    else:
        print_list(items, as_json, lambda item: f"{item['name']:22}{item['value']}")


@voices.command()
def add(
    source: Annotated[str, typer.Argument(help="A .pth, a folder, a .zip, or the https address of one.")],
    index: Annotated[Path | None, typer.Option("--index", help="The voice's faiss index.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call it.")] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="What the fetched file must hash to.")] = None,
) -> None:
    """Bring in an RVC voice. Nothing in its files is ever run."""
    from rwc_pw.voices.importing import add_voice, check_can_add

    check_can_add(store(), name)
    is_fetched = "://" in source
    path = _fetched(source, sha256) if is_fetched else Path(source)
    try:
        with share_done("Checking") as on_progress:
            voice = add_voice(path, store(), name=name, index=index, on_progress=on_progress)
    finally:
        if is_fetched:
            shutil.rmtree(path.parent)
    print(f"{voice.name} is here: {voice.description}", flush=True)
    _compile(voice.name)
    print(f"Speak in it with `rwc-pw use {voice.name}`.")


@voices.command()
def remove(name: Name, yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False) -> None:
    """Delete one of your own voices."""
    from rwc_pw.rvc.compiled import forget

    if name in BUILTIN_VOICES:
        raise UsageError(f"{name} is built in.", "Your own voices can be removed.")
    store().check_there(name)
    if name == config().voice:
        raise UsageError(f"{name} is the voice in use.", "Choose another one first, as with `rwc-pw use deeper`.")
    if not yes:
        typer.confirm(f"Delete {name}?", abort=True)
    store().remove(name)
    forget(paths().compiled_dir, name)
    _chosen_chunks().forget(name)
    print(f"{name} is gone.")


def setup(
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder that has the files, for a machine without network.")
    ] = None,
) -> None:
    """Fetch what every RVC voice needs, and prove that it is right."""
    from rwc_pw.rvc import assets, proof

    with bytes_done() as on_progress:
        assets.fetch(assets_dir(), source, on_progress)
    with share_done("Proving"):
        proofs = proof.prove(assets_dir())
    for found in proofs:
        print(f"{'ok' if found.passed else 'FAIL':5} {found.what}: {found.measured} ({found.needed} needed)")
    if not all(found.passed for found in proofs):
        print("Remove the file that is wrong, then run `rwc-pw setup` again; `rwc-pw doctor` proves it, too.")
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
    chosen_chunks = _chosen_chunks()
    conversion = conversion_of(chosen, chosen_chunks, paths())
    for figures in bench(conversion, seconds, chosen.quantum):
        found.append(figures)
        if not as_json:
            print(_bench_line(figures), flush=True)
    best = smallest_held(found)
    if picture:
        _draw(found, f"{chosen.voice} on this machine", picture)
    if best and is_chunk_ours(chosen):
        chosen_chunks.keep(conversion, best.chunk_samples)
    if as_json:
        recommended = best and best.chunk_samples
        print(json.dumps({"voice": chosen.voice, "chunks": list(map(asdict, found)), "recommended": recommended}))
    elif best:
        print(f"Recommended: chunks of {best.chunk_samples} samples, {best.delay_ms:.0f} ms from microphone to app.")
    else:
        print("This machine keeps up with none of them: a graphics card or a built-in voice would help.")


def convert(
    input: Annotated[Path, typer.Argument(metavar="IN", help="Any format that soundfile reads.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Its name tells the format: .wav, .flac, .ogg …")],
    voice: Annotated[str, typer.Option("--voice", help="An RVC voice: its name, or a .pth.")],
    pitch: Annotated[
        int,
        typer.Option("--pitch", min=-int(PITCH_RANGE_SEMITONES), max=int(PITCH_RANGE_SEMITONES), help="Semitones."),
    ] = 0,
    index_rate: Annotated[
        float | None, typer.Option("--index-rate", min=0, max=1, help="The share that comes from the voice's index.")
    ] = None,
    sample_rate: Annotated[
        int | None, typer.Option("--sample-rate", min=8000, max=192000, help="In Hz; the voice's own if not given.")
    ] = None,
) -> None:
    """Convert a file with an RVC voice."""
    from rwc_pw.voice_converter import VoiceConverter
    from rwc_pw.voices.f0_method import AUTO, DETECTORS
    from rwc_pw.voices.rvc_voice import BATCH

    settings = config()
    converter = VoiceConverter(Path(voice), assets_dir())
    with share_done(input.name) as on_progress:
        converter.convert_voice(
            input,
            output,
            pitch,
            settings.index_rate if index_rate is None else index_rate,
            sample_rate,
            protect=settings.protect,
            f0_method=settings.f0_method if settings.f0_method in DETECTORS[BATCH] else AUTO,
            on_progress=on_progress,
        )
    print(output)


def _description(name: str) -> str:
    try:
        return store().find(name).description
    except RwcPwError as error:
        return f"{error.message} {error.remedy}"


def _compile(name: str) -> None:
    """Where that cannot be done yet, it is when the voice first speaks, and what is missing is told."""
    from rwc_pw.asked import conversion_of
    from rwc_pw.streaming import StreamingConverter

    if config().rvc_backend != STREAMING:
        return
    wanted = config().changed({"voice": name, "pitch": 0.0}, store().names())
    conversion = conversion_of(wanted, _chosen_chunks(), paths())
    try:
        with share_done("Compiling") as on_progress:
            StreamingConverter(conversion).compile(on_progress)
    except RwcPwError as error:
        print(f"It cannot speak yet: {error.message} {error.remedy}")


def _chosen_chunks() -> "ChosenChunks":
    from rwc_pw.streaming.chunk_choice import ChosenChunks

    return ChosenChunks(paths().chunks_file)


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


def _fetched(url: str, sha256: str | None) -> Path:
    """The file at ``url``; a part of it, where it is cut, stays for another try, which goes on with it."""
    from rwc_pw.rvc.download import download

    folder = paths().state_dir / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / (PurePosixPath(urlsplit(url).path).name or "voice")
    with bytes_done() as on_progress:
        download(
            url,
            path,
            sha256=sha256,
            most_bytes=LARGEST_DOWNLOAD_BYTES,
            on_progress=lambda done, whole: on_progress(path.name, done, whole),
        )
    return path

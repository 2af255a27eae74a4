"""Commands for RVC: fetch what its voices need, and convert files."""

from pathlib import Path
from typing import Annotated

import typer

from rwc_pw.cli.printing import print
from rwc_pw.cli.progress import bytes_done, share_done
from rwc_pw.cli.shared import INDEX_RATE_HELP, assets_dir, config, store
from rwc_pw.errors import EXIT_FAILED
from rwc_pw.voices.options import INDEX_RATE, PITCH


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


def convert(
    input: Annotated[Path, typer.Argument(metavar="IN", help="Any format that soundfile reads.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Its suffix chooses the format: .wav, .flac, .ogg …")],
    voice: Annotated[str, typer.Option("--voice", help="An RVC voice: its name, or a .pth.")],
    pitch: Annotated[
        int,
        typer.Option("--pitch", min=int(PITCH.least), max=int(PITCH.most), help="Semitones added to the pitch."),
    ] = 0,
    index_rate: Annotated[
        float | None,
        typer.Option("--index-rate", min=INDEX_RATE.least, max=INDEX_RATE.most, help=INDEX_RATE_HELP),
    ] = None,
    sample_rate: Annotated[
        int | None, typer.Option("--sample-rate", min=8000, max=192000, help="In Hz; the voice's own if not given.")
    ] = None,
) -> None:
    """Convert a file with an RVC voice."""
    from rwc_pw.conversion.rvc_backends import BATCH
    from rwc_pw.rvc.detectors import AUTO
    from rwc_pw.voice_converter import VoiceConverter
    from rwc_pw.voices.adding.stored_folder import stored_folder

    settings = config()
    converter = VoiceConverter(stored_folder(Path(voice), store()), assets_dir())
    with share_done(input.name) as on_progress:
        converter.convert_voice(
            input,
            output,
            pitch,
            settings.index_rate if index_rate is None else index_rate,
            sample_rate,
            protect=settings.protect,
            f0_method=settings.f0_method if BATCH.has(settings.f0_method) else AUTO,
            on_progress=on_progress,
        )
    print(output)

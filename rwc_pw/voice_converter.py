"""Converts whole files with an RVC voice."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from rwc_pw.conversion.pieces import Piece, pieces
from rwc_pw.conversion.rvc_backends import BATCH
from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.rvc.detectors import AUTO
from rwc_pw.rvc.ultimate import RvcSettings, UltimateRvc
from rwc_pw.system.paths import Paths
from rwc_pw.system.sound_file import BLOCK_FRAMES, not_sound, open_sound, read_mono
from rwc_pw.voices.adding.stored_folder import stored_folder
from rwc_pw.voices.options import INDEX_RATE, PROTECT
from rwc_pw.voices.store import VoiceStore
from rwc_pw.voices.stored_voice import StoredVoice

WHOLE_S = 600.0  # a longer file is converted piece by piece: ultimate-rvc's memory grows with the length
WHOLE_NUMBERS = 600 * 96_000  # as is one with more samples, of all channels together
PIECE_S = 120.0


class VoiceConverter:
    """Converts files with ultimate-rvc's ``convert()``, in one voice."""

    def __init__(self, model_path: Path | str, assets_dir: Path | None = None) -> None:
        """``model_path``: a stored voice's folder, or a ``.pth``, which the first conversion imports.

        ``assets_dir`` has ContentVec and the pitch models; by default where `rwc-pw setup` puts them.
        """
        paths = Paths.from_environment(os.environ)
        self._model_path = Path(model_path)
        self._store = VoiceStore(paths.voices_dir)
        self._assets_dir = (assets_dir or paths.assets_dir).absolute()

    def convert_voice(
        self,
        input_audio: Path | str,
        output_audio: Path | str,
        pitch_shift: int = 0,
        index_rate: float = INDEX_RATE.default,
        sample_rate: int | None = None,
        *,
        protect: float = PROTECT.default,
        f0_method: str = AUTO,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Write ``input_audio``, of any format, rate and number of channels, to ``output_audio`` in this voice, mono.

        ``pitch_shift`` is in semitones; ``sample_rate`` is in Hz, by default the voice's own; the output's suffix
        chooses the format. ``on_progress`` receives the fraction done. The output is written whole or not at all.
        ``UsageError`` if there is no such voice, and for files that cannot be read or written, ``ConversionError`` if
        ultimate-rvc fails.
        """
        voice = StoredVoice.read(self._folder)
        settings = RvcSettings(pitch_shift, BATCH.detector(f0_method).name, index_rate, protect)
        target = Path(output_audio)
        rate_hz = sample_rate or voice.facts.sample_rate_hz
        _check_format(target, rate_hz)
        with _open(Path(input_audio)) as source, _written_whole(target) as unfinished:
            is_long = source.frames > WHOLE_S * source.samplerate or source.frames * source.channels > WHOLE_NUMBERS
            rvc = UltimateRvc(self._assets_dir, settings, is_live=False, is_long=is_long)
            with closing(rvc):
                rvc.start(voice)
                _write(unfinished, _converted(source, rvc, is_long, on_progress), rate_hz)

    @cached_property
    def _folder(self) -> Path:
        return stored_folder(self._model_path, self._store)


def _converted(
    source: soundfile.SoundFile, rvc: UltimateRvc, is_long: bool, on_progress: Callable[[float], None]
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The sound, converted whole or, if ``is_long``, in pieces: blocks, each with its rate in Hz."""

    def read(start: int, end: int) -> NDArray[np.float32]:
        try:
            source.seek(start)
            return read_mono(source, end - start)
        except soundfile.SoundFileError as error:
            raise not_sound(Path(source.name)) from error

    for piece in pieces(source.frames, source.samplerate, PIECE_S if is_long else WHOLE_S, read):
        sound = rvc.folder / ("piece.wav" if is_long else "input")
        if not is_long:
            sound.symlink_to(Path(source.name).absolute())  # ultimate-rvc strips blanks and quotes from names
        else:
            soundfile.write(sound, read(piece.wide_start, piece.wide_end), source.samplerate, subtype="FLOAT")
        result = rvc.convert(sound, partial(_tell, on_progress, piece, source))
        yield from _cut(result, piece if is_long else None, source.samplerate)
        sound.unlink()
        shutil.rmtree(result.parent)
        on_progress(piece.end / source.frames)


def _tell(on_progress: Callable[[float], None], piece: Piece, source: soundfile.SoundFile, done_s: float) -> None:
    on_progress(min(piece.start + done_s * source.samplerate, piece.end) / source.frames)


def _cut(path: Path, piece: Piece | None, rate_hz: int) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The part of a converted file that belongs to ``piece``, exact to the sample; without one, the whole file."""
    with soundfile.SoundFile(path) as sound:
        left = sound.frames
        if piece:
            edges = piece.wide_start, piece.start, piece.end
            wide_start, start, end = (round(edge * sound.samplerate / rate_hz) for edge in edges)
            sound.seek(start - wide_start)
            left = end - start
        while left:
            block = sound.read(min(left, BLOCK_FRAMES), dtype="float32")
            if not len(block):
                yield np.zeros(left, np.float32), sound.samplerate  # the last 20 ms may be missing
                return
            left -= len(block)
            yield block, sound.samplerate


def _write(path: Path, blocks: Iterator[tuple[NDArray[np.float32], int]], rate_hz: int) -> None:
    import soxr

    resampler: Any = None
    try:
        with soundfile.SoundFile(path, "w", rate_hz, 1) as target:
            for block, voice_rate_hz in blocks:
                if voice_rate_hz != rate_hz:
                    resampler = resampler or soxr.ResampleStream(voice_rate_hz, rate_hz, 1)
                    block = resampler.resample_chunk(block)
                _append(target, block)
            if resampler:
                _append(target, resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    except soundfile.SoundFileError as error:
        raise RwcPwError(f"The converted sound cannot be written: {error}.", "Free some space.") from error


def _append(target: soundfile.SoundFile, block: NDArray[np.float32]) -> None:
    """Write ``block``; 16-bit samples, which ultimate-rvc returns, stay exact."""
    if target.subtype == "PCM_16":
        target.write(np.clip(np.rint(block * 32768), -32768, 32767).astype(np.int16))
    else:
        target.write(block)


def _check_format(target: Path, rate_hz: int) -> None:
    """``UsageError`` unless sound at that rate can be written under this name: better now than after an hour."""
    try:
        soundfile.SoundFile(BytesIO(), "w", rate_hz, 1, format=target.suffix[1:]).close()
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise UsageError(
            f"{target} does not end in a format that can be written at {rate_hz} Hz.",
            "Choose a name that ends in .wav, .flac or .ogg.",
        ) from error


def _open(path: Path) -> soundfile.SoundFile:
    source = open_sound(path)
    if not source.frames:
        source.close()
        raise UsageError(f"{path} is empty.", "Give a file in which somebody speaks.")
    return source


@contextmanager
def _written_whole(target: Path) -> Iterator[Path]:
    """A file beside ``target`` that replaces it at the end, and is deleted on an error."""
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".rwc-pw-", suffix=target.suffix)
        os.close(descriptor)
    except OSError as error:
        raise UsageError(f"Cannot write {target}: {error.strerror}.", "Choose another folder.") from error
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o644)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise

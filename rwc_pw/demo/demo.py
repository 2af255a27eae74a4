"""RWC Voice shown without a microphone, a desktop or a PipeWire of the user's: somebody speaks, an app records."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import soundfile

from rwc_pw.config import Config
from rwc_pw.demo.latency import latency_ms
from rwc_pw.demo.performance import LEAD_IN_SAMPLES, perform
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.pictures.spectrograms import draw_spectrograms
from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, Samples

LONGEST_INPUT_S = 60
OTHER_OUTPUT = "Choose another folder with --output."


@dataclass(frozen=True)
class DemoResult:
    """The files that the demo wrote, and how late the app heard what was said."""

    spoken: Path
    heard: Path
    picture: Path
    latency_ms: float
    """Measured in the recording."""
    declared_ms: float
    """What ``rwc-pw status`` told meanwhile."""
    reason: str
    """What it told was wrong; empty when nothing was."""


def run_demo(config: Config, paths: Paths, input: Path | None, output: Path) -> DemoResult:
    """Speak ``input`` into RWC Voice on a private PipeWire and write what was spoken and heard to ``output``.

    ``paths`` are the user's, where their own voices lie.

    ``UsageError`` for an input that is no speech; nothing is left but the three files, and a voice that was compiled.
    """
    speech, rate_hz = _read_speech(input)
    with _folder(output), tempfile.TemporaryDirectory(prefix="rwc-pw-") as scratch:
        frames, status = perform(config, paths, speech, rate_hz, Path(scratch))
        first = int(np.flatnonzero(frames[:, 0])[0]) if frames[:, 0].any() else 0
        spoken, heard = frames[max(0, first - LEAD_IN_SAMPLES) :].T
        measured_ms = latency_ms(spoken, heard)
        if measured_ms is None or status.latency_ms is None:
            raise RwcPwError(
                f"RWC Voice stayed silent throughout{f': {status.reason}' if status.reason else ''}.",
                f"The speech has to be louder than the gate, {config.gate:g} dBFS: choose another --input, "
                "or a lower gate with `rwc-pw set --gate`.",
            )
        titles = "Spoken into the microphone", f"Heard from RWC Voice: {config.voice}, {measured_ms:.1f} ms later"
        picture = draw_spectrograms(dict(zip(titles, (spoken, heard), strict=True)), Path(scratch))
        return DemoResult(
            spoken=_write(output / "spoken.wav", _wav(spoken)),
            heard=_write(output / "heard.wav", _wav(heard)),
            picture=_write(output / "spectrogram.png", picture),
            latency_ms=measured_ms,
            declared_ms=status.latency_ms,
            reason=status.reason,
        )


def _read_speech(path: Path | None) -> tuple[Samples, int]:
    """The file's channels as one, and its rate; without a file the speech that is shipped."""
    source = path or resources.files(__package__) / "speech.ogg"
    try:
        with source.open("rb") as file, soundfile.SoundFile(file) as sound:
            rate_hz = sound.samplerate
            samples = sound.read((LONGEST_INPUT_S + 1) * rate_hz, dtype="float32", always_2d=True).mean(axis=1)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Name a sound file after --input.") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: raw sound, which does not tell its rate
        raise UsageError(f"{path} is not sound that can be read.", "Give a WAV, FLAC, OGG or MP3 file.") from error
    if len(samples) > LONGEST_INPUT_S * rate_hz:
        raise UsageError(f"{path} is longer than {LONGEST_INPUT_S} s.", "Cut it: the demo takes as long as the speech.")
    if not 0 < np.abs(samples).max(initial=0) < np.inf:
        raise UsageError(f"{path} is silent.", "Give a file in which somebody speaks.")
    return samples, rate_hz


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """``path`` as a folder that can be written to; it goes again if nothing was written."""
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.", OTHER_OUTPUT) from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # something is in it
                path.rmdir()
        raise


def _write(path: Path, content: bytes) -> Path:
    try:
        path.write_bytes(content)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise RwcPwError(f"Cannot write {path}: {error.strerror}.", OTHER_OUTPUT) from error
    return path


def _wav(sound: Samples) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, sound, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return content.getvalue()

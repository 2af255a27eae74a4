"""Demonstrates RWC Voice with a simulated speaker and a recording app, without the user's own PipeWire or devices."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.config import Config
from rwc_pw.demo.latency import latency_ms
from rwc_pw.demo.performance import LEAD_IN_SAMPLES, perform
from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.pictures.spectrograms import draw_spectrograms
from rwc_pw.system.paths import Paths
from rwc_pw.system.sound_file import not_sound, open_sound, read_mono

LONGEST_INPUT_S = 60
ON_AN_IDLE_MACHINE = "Run `rwc-pw doctor`; if all is well there, run the demo again when the machine has less to do."
SPEECH = Path(__file__).with_name("speech.ogg")
OTHER_OUTPUT = "Choose another folder with --output."


@dataclass(frozen=True)
class DemoResult:
    """The files that the demo wrote, and the delay with which the app heard the speech."""

    spoken: Path
    heard: Path
    picture: Path
    latency_ms: float
    """Measured in the recording."""
    declared_ms: float
    """The delay that ``rwc-pw status`` reported meanwhile."""
    reason: str
    """The problem that it reported; empty if there was none."""


def run_demo(config: Config, paths: Paths, input: Path | None, output: Path) -> DemoResult:
    """Speak ``input`` into RWC Voice on a private PipeWire and write what was spoken and heard to ``output``.

    ``paths`` are the user's, with their own voices.

    ``UsageError`` for an input that is not speech; only the three files are left, and a voice's networks.
    """
    speech, rate_hz = _read_speech(input)
    with _folder(output), tempfile.TemporaryDirectory(prefix="rwc-pw-") as scratch:
        try:
            frames, status = perform(config, paths, speech, rate_hz, Path(scratch))
        except RwcPwError as error:
            if error.remedy:
                raise
            raise RwcPwError(error.message, ON_AN_IDLE_MACHINE) from error
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
    """The file's channels, mixed to mono, and its rate; without a file, the shipped speech."""
    source = path or SPEECH
    with open_sound(source) as sound:
        rate_hz = sound.samplerate
        try:
            samples = read_mono(sound, (LONGEST_INPUT_S + 1) * rate_hz)
        except soundfile.SoundFileError as error:
            raise not_sound(source) from error
    if len(samples) > LONGEST_INPUT_S * rate_hz:
        raise UsageError(f"{path} is longer than {LONGEST_INPUT_S} s.", "Cut it: the demo takes as long as the speech.")
    if not 0 < np.abs(samples).max(initial=0) < np.inf:
        raise UsageError(f"{path} is silent.", "Give a file in which somebody speaks.")
    return samples, rate_hz


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make ``path`` a writable folder; remove it again if it is new and an error leaves it empty."""
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
            with suppress(OSError):  # it is not empty
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

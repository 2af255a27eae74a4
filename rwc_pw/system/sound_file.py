"""Opens sound files that people give."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rwc_pw.errors import UsageError
from rwc_pw.system.reading import open_file

LEAST_RATE_HZ, MOST_RATE_HZ = 1_000, 384_000
MOST_CHANNELS = 64
BLOCK_FRAMES = 1 << 16


def open_sound(path: Path) -> soundfile.SoundFile:
    """The opened file; ``UsageError`` if it cannot be read, or is not sound."""
    try:
        with open_file(path):  # libsndfile does not say why it cannot
            sound = soundfile.SoundFile(path)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Give a WAV, FLAC, OGG or MP3 file.") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: raw sound, which does not state its rate
        raise not_sound(path) from error
    if not LEAST_RATE_HZ <= sound.samplerate <= MOST_RATE_HZ or sound.channels > MOST_CHANNELS:
        sound.close()
        raise UsageError(
            f"{path} declares {sound.channels} channels at {sound.samplerate} Hz.",
            f"Give a file of at most {MOST_CHANNELS} channels at {LEAST_RATE_HZ} to {MOST_RATE_HZ} Hz.",
        )
    return sound


def read_mono(sound: soundfile.SoundFile, frames: int) -> NDArray[np.float32]:
    """The next ``frames``, or fewer at the end, mixed to mono; ``SoundFileError`` if they are damaged."""
    blocks = [np.zeros(0, np.float32)]  # a file may declare any number of frames
    while frames > 0 and len(block := sound.read(min(frames, BLOCK_FRAMES), dtype="float32", always_2d=True)):
        blocks.append(block.mean(axis=1))
        frames -= len(block)
    return np.concatenate(blocks)


def not_sound(path: Path) -> UsageError:
    """The error for a file that turns out not to be sound, or to be damaged."""
    return UsageError(f"{path} is not sound that can be read.", "Give a WAV, FLAC, OGG or MP3 file.")

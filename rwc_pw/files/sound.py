"""Opens sound files that people give."""

from pathlib import Path

import soundfile

from rwc_pw.errors import UsageError


def open_sound(path: Path) -> soundfile.SoundFile:
    """The opened file; ``UsageError`` if it cannot be read, or is not sound."""
    try:
        with path.open("rb"):  # libsndfile does not say why it cannot
            return soundfile.SoundFile(path)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Give a WAV, FLAC, OGG or MP3 file.") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: raw sound, which does not state its rate
        raise not_sound(path) from error


def not_sound(path: Path) -> UsageError:
    """The error for a file that turns out not to be sound, or to be damaged."""
    return UsageError(f"{path} is not sound that can be read.", "Give a WAV, FLAC, OGG or MP3 file.")

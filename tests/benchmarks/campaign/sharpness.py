"""How sharp the matched filter is: what it finds at which level, in converted sound and in silence."""

import numpy as np

from rwc_pw.audio.samples import Samples
from rwc_pw.streaming import ConversionConfig, create_backend
from tests.benchmarks.campaign.real_voice import PERIOD_SAMPLES, find, real_voice
from tests.benchmarks.campaign.schedule import SHARP

SECONDS = 4.0
LEVELS_DB = (0, -20, -40, -60)
PIECES = 20
CHUNK_SAMPLES = 256


def show_sharpness() -> None:
    """Print it; end here unless every piece is found, and nothing where there is none."""
    said = real_voice(SECONDS)
    for name, sound in {"silence": np.zeros_like(said), **{voice: converted(said, voice) for voice in SHARP}}.items():
        alone = np.count_nonzero(find(sound))
        found = [sum(is_found(sound, said, piece, level_db) for piece in range(PIECES)) for level_db in LEVELS_DB]
        levels = ", ".join(f"{number} at {level_db} dB" for number, level_db in zip(found, LEVELS_DB, strict=True))
        print(f"{name}: found {alone} times where it is not; of {PIECES} pieces of 10 ms, {levels}", flush=True)
        if alone or set(found) != {PIECES}:
            raise SystemExit("The matched filter is not sharp.")


def is_found(sound: Samples, said: Samples, piece: int, level_db: float) -> bool:
    """Whether 10 ms of what was said, added to a tenth of a second of ``sound`` at that level, are found."""
    begin = len(sound) // 4 + piece * 5003
    mixed = sound[begin : begin + 10 * PERIOD_SAMPLES].copy()
    mixed[1234 : 1234 + PERIOD_SAMPLES] += said[begin : begin + PERIOD_SAMPLES] * np.float32(10 ** (level_db / 20))
    return bool(find(mixed).any())


def converted(said: Samples, voice: str) -> Samples:
    """``said`` in a voice, as `rwc-pw use` takes it, cut off for a while as by a fault."""
    name, *options = voice.split()
    shifts = dict(zip(options[::2], map(float, options[1::2]), strict=True))
    backend = create_backend(
        ConversionConfig(voice=name, pitch_shift=shifts["--pitch"], formant_shift=shifts.get("--formant", 0.0))
    )
    backend.initialize()
    chunks = [said[at : at + CHUNK_SAMPLES] for at in range(0, len(said) - CHUNK_SAMPLES, CHUNK_SAMPLES)]
    sound = np.concatenate([backend.convert_chunk(chunk) for chunk in chunks])
    sound[len(sound) // 8 : len(sound) // 7] = 0
    return sound

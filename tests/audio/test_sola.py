import numpy as np
import pytest

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.audio.sola import SEARCH_SAMPLES, SOLA_FADE_SAMPLES, Sola

CHUNK = 4096


def tone(start: int, count: int, phase: float = 0.0, frequency_hz: float = 170.0) -> Samples:
    time_s = np.arange(start, start + count) / SAMPLE_RATE_HZ
    return (0.4 * np.sin(2 * np.pi * frequency_hz * time_s + phase)).astype(np.float32)


def joined(phases: list[float]) -> Samples:
    """Pieces of one tone, each with a phase of its own, as a converter that begins anew each time makes them."""
    sola = Sola()
    length = CHUNK + sola.overlap_samples
    pieces = [tone(number * CHUNK - sola.overlap_samples, length, phase) for number, phase in enumerate(phases)]
    return np.concatenate([sola.join(piece) for piece in pieces])


def test_each_piece_gives_as_much_as_it_is_longer_than_the_overlap() -> None:
    assert len(joined([0.0, 0.0, 0.0])) == 3 * CHUNK


@pytest.mark.parametrize("phases", [[0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 4.0, 1.0]], ids=["same", "different"])
def test_a_tone_stays_a_tone_whatever_phase_the_pieces_have(phases: list[float]) -> None:
    heard = joined(phases)[SOLA_FADE_SAMPLES:]
    envelope = np.abs(heard[: len(heard) // 480 * 480].reshape(-1, 480)).max(axis=1)  # more than one period each
    assert envelope.min() > 0.38
    steps = np.abs(np.diff(heard))
    assert steps.max() < 1.2 * np.abs(np.diff(tone(0, CHUNK))).max()


def test_it_tells_how_late_it_is() -> None:
    sola = Sola()
    said = np.random.default_rng(0).uniform(-1, 1, 8 * CHUNK).astype(np.float32)
    ends = range(CHUNK + sola.overlap_samples, len(said), CHUNK)
    for end in ends:
        heard = sola.join(said[end - CHUNK - sola.overlap_samples : end])
        delay = sola.latency_samples
        assert SOLA_FADE_SAMPLES <= delay <= SOLA_FADE_SAMPLES + SEARCH_SAMPLES
        np.testing.assert_array_equal(heard[-100:], said[end - delay - 100 : end - delay])


def test_it_begins_with_silence_and_again_after_a_reset() -> None:
    sola = Sola()
    piece = tone(0, CHUNK + sola.overlap_samples)
    first = sola.join(piece)
    sola.join(piece)
    sola.reset()
    assert first[0] == 0
    np.testing.assert_array_equal(sola.join(piece), first)

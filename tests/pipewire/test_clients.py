"""Applications find "RWC Voice" by its name and hear what is played into it."""

import numpy as np
import pytest

from rwc_pw.headless.session import HeadlessPipeWire
from tests.servers import chromium, pulse_client
from tests.servers.sound import RATE_HZ, Player, dominant_hz, tone


@pytest.fixture
def sounding(voiced: HeadlessPipeWire):
    """A private session whose RWC Voice carries a tone of 440 Hz and half the full scale."""
    with Player(voiced, tone(440, 60.0), into="rwc_voice:input_MONO"):
        yield voiced


def assert_is_the_tone(samples: np.ndarray, rate_hz: float) -> None:
    assert dominant_hz(samples, rate_hz) == pytest.approx(440, abs=2)
    settled = samples[len(samples) // 2 :]
    assert np.abs(settled).max() == pytest.approx(0.5, abs=0.02)


def test_parec_hears_it(sounding):
    samples = pulse_client.record(sounding, "rwc_voice", 1.0)
    assert len(samples) == RATE_HZ
    assert_is_the_tone(samples, RATE_HZ)


@pytest.mark.needs("ffmpeg")
def test_ffmpeg_hears_it(sounding):
    samples = pulse_client.record_with_ffmpeg(sounding, "rwc_voice", 1.0)
    assert len(samples) == RATE_HZ
    assert_is_the_tone(samples, RATE_HZ)


@pytest.mark.needs("chromium")
def test_chromium_lists_it(voiced):
    assert "RWC Voice" in chromium.microphones(voiced)


@pytest.mark.needs("chromium")
def test_chromium_hears_it(sounding):
    samples, rate_hz = chromium.record(sounding, "RWC Voice", 1.0)
    assert len(samples) >= rate_hz
    assert_is_the_tone(samples, rate_hz)


@pytest.mark.needs("chromium")
def test_chromium_says_when_there_is_no_such_microphone(headless):
    with pytest.raises(chromium.PageError, match="no microphone is labelled RWC Voice"):
        chromium.record(headless, "RWC Voice", 1.0)

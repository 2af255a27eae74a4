import numpy as np
import pytest

from rwc_pw.conversion.vocoder.excitation import Excitation, Noise, PulseTrain


def test_every_pulse_comes_once_on_its_time() -> None:
    """100 Hz at 1050 Hz: a pulse each 10.5 samples, every other shared by two samples."""
    pulses = PulseTrain(100.0, 1050).next_samples(42)
    assert np.flatnonzero(pulses).tolist() == [0, 10, 11, 21, 31, 32]
    assert pulses[[0, 10, 11, 21]].tolist() == [1.0, 0.5, 0.5, 1.0]


@pytest.mark.parametrize("make", [Noise, lambda: PulseTrain(110.0, 4800)])
def test_it_goes_on_across_calls(make: type[Excitation]) -> None:
    parts, whole = make(), make()
    np.testing.assert_allclose(
        np.concatenate([parts.next_samples(count) for count in (1, 43, 44, 300)]), whole.next_samples(388), atol=1e-9
    )


def test_the_noise_is_white() -> None:
    power = np.abs(np.fft.rfft(Noise().next_samples(1 << 14))) ** 2
    bands = power[1:].reshape(8, -1).mean(axis=1)
    assert bands.max() / bands.min() < 1.3

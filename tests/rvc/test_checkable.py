"""The checkable voices through the real ultimate-rvc: what comes out has the pitch that was asked for."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tests.rvc.checkable import main, make_index, make_voice
from tests.rvc.reference import Reference
from tests.rvc.synthesizer import FEATURES, UPSAMPLING

pytestmark = pytest.mark.needs_rvc

TONE_HZ = 170.0
PCM_STEP = 2**-15

LOAD_STRICTLY = """
import sys
import torch
from ultimate_rvc.rvc.lib.algorithm.synthesizers import Synthesizer

for path in sys.argv[1:]:
    voice = torch.load(path, weights_only=True)
    features = {"v1": 256, "v2": 768}[voice["version"]]
    network = Synthesizer(*voice["config"], use_f0=voice["f0"], text_enc_hidden_dim=features)
    del network.enc_q  # no file of a voice has it
    network.load_state_dict(voice["weight"], strict=True)
    assert all(weight.dtype == torch.float16 for weight in voice["weight"].values())
    print(*voice, voice["sr"], voice["f0"], voice["version"], len(voice["config"]), sep=",")
"""


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory):
    """What the command makes, and a voice of each kind."""
    models_dir = tmp_path_factory.mktemp("models")
    main([str(models_dir)])
    voices = models_dir / "rvc" / "voice_models"
    for version, rate_hz in UPSAMPLING:
        make_voice(voices / f"{version}-{rate_hz}" / "voice.pth", version=version, rate_hz=rate_hz)
    make_voice(voices / "choir" / "voice.pth", speakers=2)
    make_voice(voices / "another" / "voice.pth", seed=1)
    return models_dir


@pytest.fixture(scope="module")
def reference(models_dir, tmp_path_factory):
    reference = Reference(models_dir, tmp_path_factory.mktemp("reference"))
    yield reference
    reference.close()


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    """One second of a tone that FCPE takes for a voice: harmonics that fall by 6 dB an octave."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    times = np.arange(16_000) / 16_000
    sound = sum(np.sin(2 * np.pi * TONE_HZ * number * times) / number for number in range(1, 20))
    soundfile.write(path, 0.2 * sound, 16_000)
    return path


@pytest.fixture
def converted(reference, tone):
    """The sound and the rate of the tone in a voice."""

    def convert(voice, **parameters):
        return soundfile.read(reference.convert(tone, voice, f0_method="fcpe", **parameters))

    return convert


@pytest.mark.parametrize("semitones", [-12, 0, 5, 12])
@pytest.mark.parametrize(("version", "rate_hz"), UPSAMPLING)
def test_it_sings_the_pitch_that_was_asked_for(converted, version, rate_hz, semitones):
    sound, its_rate_hz = converted(f"{version}-{rate_hz}", n_semitones=semitones)
    assert its_rate_hz == rate_hz
    assert pitch_hz(sound, rate_hz) == pytest.approx(TONE_HZ * 2 ** (semitones / 12), rel=0.01)
    assert np.max(np.abs(sound)) == pytest.approx(0.4, rel=0.2)


def test_what_the_command_made_sings_with_and_without_its_index(converted):
    sound, rate_hz = converted("Checkable", index_rate=1.0)
    without, _ = converted("Checkable", index_rate=0.0)
    assert pitch_hz(sound, rate_hz) == pytest.approx(TONE_HZ, rel=0.01)
    assert rms(sound - without) > 5 * PCM_STEP


def test_speakers_and_seeds_can_be_told_apart_at_the_same_pitch(converted):
    first, rate_hz = converted("choir", sid=0)
    second, _ = converted("choir", sid=1)
    another, _ = converted("another")
    for one, other in itertools.combinations((first, second, another), 2):
        assert rms(one - other) > 5 * PCM_STEP
    for sound in (first, second, another):
        assert pitch_hz(sound, rate_hz) == pytest.approx(TONE_HZ, rel=0.01)


def test_ultimate_rvc_has_a_place_for_each_weight_and_misses_none(tmp_path):
    expected = []
    kinds = [*itertools.product(UPSAMPLING, (True, False), (1, 3), (True,)), (("v2", 48_000), True, 109, False)]
    for number, ((version, rate_hz), has_pitch, speakers, is_small) in enumerate(kinds):
        make_voice(
            tmp_path / f"{number:02}.pth",
            version=version,
            rate_hz=rate_hz,
            has_pitch=has_pitch,
            speakers=speakers,
            is_small=is_small,
        )
        expected.append(f"weight,config,info,sr,f0,version,{rate_hz // 1000}k,{int(has_pitch)},{version},18")
    done = subprocess.run(
        [sys.executable, "-c", LOAD_STRICTLY, *sorted(tmp_path.iterdir())],
        env=os.environ | {"URVC_NO_LOGGING": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == expected, done.stderr


def test_an_index_is_what_training_makes(tmp_path):
    import faiss

    make_index(tmp_path / "voice.index", dimension=FEATURES["v1"], vectors=500)
    index = faiss.read_index(str(tmp_path / "voice.index"))
    assert (index.d, index.ntotal, index.nlist, index.nprobe, type(index)) == (256, 500, 12, 1, faiss.IndexIVFFlat)
    assert np.std(index.reconstruct_n(0, 500)) == pytest.approx(1.0, rel=0.01)


def rms(sound):
    return np.sqrt(np.mean(sound**2))


def pitch_hz(sound, rate_hz):
    """The strongest frequency, by a parabola through the logarithms around the peak of the spectrum."""
    spectrum = np.log(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))
    peak = int(np.argmax(spectrum))
    left, middle, right = spectrum[peak - 1 : peak + 2]
    return (peak + (left - right) / (left - 2 * middle + right) / 2) * rate_hz / len(sound)

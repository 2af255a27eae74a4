"""The parts between the networks, on the reference in ultimate-rvc's wheel: real speech, features and pitch."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.detectors import FCPE, RMVPE, PitchDetector
from rwc_pw.rvc.graph_files import GraphFiles
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.system.extra import package_folder
from tests.rvc.checkable import make_index

pytestmark = pytest.mark.needs_rvc


@pytest.fixture
def golden() -> Path:
    return package_folder("ultimate_rvc") / "rvc/train/models/reference"


def test_the_pitch_is_coded_as_theirs(golden):
    from rwc_pw.rvc.block import coarse

    fine, expected = np.load(golden / "pitch_fine.npy"), np.load(golden / "pitch_coarse.npy")
    np.testing.assert_array_equal(coarse(np, fine.astype(np.float32)), expected)


def test_swift_f0_hears_the_pitch_that_rmvpe_heard(golden):
    from rwc_pw.rvc.pitch import detect_by_swift_f0

    sound, rate_hz = soundfile.read(golden / "reference.wav", dtype="float32")
    assert rate_hz == 16_000
    found_hz = detect_by_swift_f0(sound)
    theirs = np.load(golden / "pitch_fine.npy")[: len(found_hz)]
    both = (theirs > 0) & (found_hz[: len(theirs)] > 0)
    assert both.sum() > 0.85 * (theirs > 0).sum()
    assert np.median(cents_apart(found_hz[: len(theirs)], theirs)) < 12


def opened(weights: Path, folder: Path, detector: PitchDetector, samples: int):
    from rwc_pw.rvc.cpu_voice import open_detector

    sources = VoiceSources("", folder, folder, detector, weights)
    return open_detector(GraphFiles(folder), sources, samples)


def cents_apart(hz: np.ndarray, other_hz: np.ndarray) -> np.ndarray:
    """Where both are voiced."""
    both = (hz > 0) & (other_hz > 0)
    return np.abs(1200 * np.log2(hz[both] / other_hz[both]))


def test_fcpe_hears_what_its_own_package_hears_and_what_rmvpe_heard(golden, tmp_path):
    import torch
    from torchfcpe import spawn_bundled_infer_model

    sound = soundfile.read(golden / "reference.wav", dtype="float32", frames=160_000)[0]
    weights = package_folder("torchfcpe") / "assets/fcpe_c_v001.pt"
    found_hz = opened(weights, tmp_path, FCPE, len(sound))(sound)
    theirs = spawn_bundled_infer_model("cpu").infer(torch.from_numpy(sound)[None, :, None], 16_000)[0, :, 0].numpy()
    theirs = theirs[: len(found_hz)]
    assert ((found_hz > 0) == (theirs > 0)).mean() > 0.99
    assert np.median(cents_apart(found_hz, theirs)) < 1
    reference_hz = np.load(golden / "pitch_fine.npy")[: len(found_hz)]
    assert np.median(cents_apart(found_hz, reference_hz)) < 10


def test_rmvpe_says_what_ultimate_rvcs_says_with_the_same_weights(golden, tmp_path, monkeypatch):
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E, RMVPE0Predictor

    sound = soundfile.read(golden / "reference.wav", dtype="float32", frames=16_000)[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(E2E(4, 1, (2, 2)).state_dict(), tmp_path / "rmvpe.pt")
    monkeypatch.setattr(CpuNetwork, "settings", {**CpuNetwork.settings, "INFERENCE_PRECISION_HINT": "f32"})
    theirs_hz = RMVPE0Predictor(tmp_path / "rmvpe.pt", "cpu").infer_from_audio(sound)
    found_hz = opened(tmp_path / "rmvpe.pt", tmp_path, RMVPE, len(sound))(sound)
    assert len(found_hz) == len(theirs_hz)
    near = cents_apart(found_hz, theirs_hz) < 1  # random weights have pitches as salient as the first, but for 1e-4
    assert near.mean() > 0.98


def test_features_are_drawn_towards_their_nearest_ones(golden, tmp_path):
    import faiss

    from rwc_pw.rvc.retrieval import NEIGHBOURS, Retrieval

    make_index(tmp_path / "voice.index", dimension=768, vectors=500)
    index = faiss.read_index(str(tmp_path / "voice.index"))
    index.nprobe = index.nlist
    faiss.write_index(index, str(tmp_path / "voice.index"))
    stored = index.reconstruct_n(0, 500)
    features = np.load(golden / "contentvec/feats.npy").reshape(-1, 768)[:40].astype(np.float32)
    features[0] = stored[7]  # at no distance at all
    distances = ((features[:, None] - stored[None]) ** 2).sum(axis=2)
    expected = np.empty_like(features)
    for at, row in enumerate(distances):
        nearest = np.argsort(row)[:NEIGHBOURS]
        weights = 1 / np.maximum(row[nearest], 1e-12) ** 2
        expected[at] = 0.4 * np.average(stored[nearest], axis=0, weights=weights) + 0.6 * features[at]
    retrieval = Retrieval(tmp_path / "voice.index")
    np.testing.assert_allclose(retrieval.blended(features, 0.4), expected, atol=1e-3)
    np.testing.assert_allclose(retrieval.blended(features, 0.0), features)


def test_what_finds_nothing_stays_as_it_is(tmp_path, monkeypatch):
    from rwc_pw.rvc.retrieval import Retrieval

    make_index(tmp_path / "voice.index", dimension=768, vectors=500)
    retrieval = Retrieval(tmp_path / "voice.index")
    nothing = np.full((3, 8), np.inf, np.float32), np.full((3, 8), -1)
    monkeypatch.setattr(retrieval, "_index", type("Empty", (), {"search": lambda *_: nothing}))
    features = np.ones((3, 768), np.float32)
    np.testing.assert_array_equal(retrieval.blended(features, 0.9), features)

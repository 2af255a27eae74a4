"""The parts between the networks, on the reference in ultimate-rvc's wheel: real speech, features and pitch."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rwc_pw.rvc.extra import package_folder
from tests.rvc.checkable import make_index

pytestmark = pytest.mark.needs_rvc


@pytest.fixture
def golden() -> Path:
    return package_folder("ultimate_rvc") / "rvc/train/models/reference"


def test_the_pitch_is_coded_as_theirs(golden):
    from rwc_pw.rvc.stream import coarse

    fine, expected = np.load(golden / "pitch_fine.npy"), np.load(golden / "pitch_coarse.npy")
    np.testing.assert_array_equal(coarse(fine.astype(np.float32)), expected)


def test_swift_f0_hears_the_pitch_that_rmvpe_heard(golden):
    from rwc_pw.rvc.pitch import detect_pitch

    sound, rate_hz = soundfile.read(golden / "reference.wav", dtype="float32")
    assert rate_hz == 16_000
    times_s, found_hz = detect_pitch(sound)
    fine = np.load(golden / "pitch_fine.npy")
    theirs = fine[np.minimum(np.rint(times_s * 100).astype(int), len(fine) - 1)]
    both = (theirs > 0) & (found_hz > 0)
    assert both.sum() > 0.85 * (theirs > 0).sum()
    assert np.median(np.abs(1200 * np.log2(found_hz[both] / theirs[both]))) < 12


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

"""The proof fails for other weights than the real ones, and passes for those that made the reference."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.rvc import proof
from rwc_pw.rvc.proof import prove
from tests.rvc.tone import tone

pytestmark = [pytest.mark.needs_rvc, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SECONDS = 2


@pytest.fixture(scope="module")
def models_dir(assets_dir, tmp_path_factory) -> Path:
    """ContentVec's stand-in, and an RMVPE of random weights."""
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E

    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(assets_dir, folder, dirs_exist_ok=True)
    torch.manual_seed(0)
    torch.save(E2E(4, 1, (2, 2)).state_dict(), folder / "rvc/predictors/rmvpe.pt")
    return folder


@pytest.fixture
def reference(tmp_path) -> Path:
    """The first seconds of ultimate-rvc's reference."""
    shipped = Path(find_spec("ultimate_rvc").origin).parent / "rvc/train/models/reference"
    (tmp_path / "contentvec").mkdir()
    audio, rate_hz = soundfile.read(shipped / "reference.wav", frames=SECONDS * 16_000)
    soundfile.write(tmp_path / "reference.wav", audio, rate_hz)
    np.save(tmp_path / "contentvec/feats.npy", np.load(shipped / "contentvec/feats.npy")[: SECONDS * 50])
    np.save(tmp_path / "pitch_fine.npy", np.load(shipped / "pitch_fine.npy")[: SECONDS * 100])
    return tmp_path


def test_other_weights_than_the_real_ones_fail_with_figures(models_dir, reference):
    features, pitch = prove(models_dir, reference)
    assert not features.passed
    assert not pitch.passed
    assert "cosine" in features.measured
    assert "cents" in pitch.measured


def test_the_weights_that_made_the_reference_pass(models_dir, reference, monkeypatch):
    from rwc_pw.rvc import measure

    monkeypatch.setenv("URVC_MODELS_DIR", str(models_dir))
    monkeypatch.setattr("ultimate_rvc.rvc.lib.utils.RVC_MODELS_DIR", models_dir / "rvc")
    monkeypatch.setattr("ultimate_rvc.rvc.lib.predictors.f0.RVC_MODELS_DIR", models_dir / "rvc")
    audio, _ = soundfile.read(reference / "reference.wav", dtype="float32")
    np.save(reference / "contentvec/feats.npy", measure._features(models_dir, audio))
    np.save(reference / "pitch_fine.npy", measure._pitch_hz(models_dir, audio))
    monkeypatch.chdir(models_dir.parent)
    features, pitch = prove(Path(models_dir.name), reference)  # a folder below the working one is found, too
    assert features.passed
    assert pitch.passed


def test_the_measures_are_those_that_they_are_called():
    from rwc_pw.rvc.measure import _mean_cosine, _median_cents

    frames = np.random.default_rng(0).standard_normal((100, 768))
    assert _mean_cosine(frames, 3 * frames) == pytest.approx(1)
    assert abs(_mean_cosine(frames, frames[::-1])) < 0.1
    pitch = np.abs(tone(0.1)) * 100 + 100
    assert _median_cents(pitch * 2 ** (5 / 1200), pitch) == pytest.approx(5, rel=1e-3)
    assert _median_cents(np.zeros(100), np.full(100, 200.0)) == np.inf


def test_weights_that_would_run_code_are_refused_before_anything_unpickles_them(models_dir, reference, tmp_path):
    evil = tmp_path / "evil"
    shutil.copytree(models_dir, evil)
    canary = tmp_path / "canary"
    (evil / "rvc/predictors/rmvpe.pt").write_bytes(f"cos\nsystem\n(S'touch {canary}'\ntR.".encode())
    with pytest.raises(RwcPwError, match=r"rmvpe\.pt is broken, or holds more than weights") as error:
        prove(evil, reference)
    assert not canary.exists()
    assert "Remove rvc/embedders/contentvec and rvc/predictors/rmvpe.pt there" in error.value.remedy


def test_what_is_missing_is_told_and_not_fetched_by_ultimate_rvc(models_dir, reference, tmp_path):
    shutil.copytree(models_dir, tmp_path / "models")
    (tmp_path / "models/rvc/embedders/contentvec/config.json").unlink()
    with pytest.raises(UnavailableError, match=r"has no rvc/embedders/contentvec/config\.json") as error:
        prove(tmp_path / "models", reference)
    assert "rwc-pw setup" in error.value.remedy


def test_a_proof_that_does_not_end_is_ended(models_dir, reference, monkeypatch):
    monkeypatch.setattr(proof, "LONGEST_S", 0.01)
    with pytest.raises(RwcPwError, match=r"took more than 0\.01 s"):
        prove(models_dir, reference)

"""The process that recomputes the reference, as ultimate-rvc's ``create_reference.py`` does."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from rwc_pw.rvc.assets import contentvec_folder
from rwc_pw.rvc.detectors import RMVPE_WEIGHTS
from rwc_pw.rvc.weights import read_weights

VOICED_HZ = 50.0
FRAME_SAMPLES = 320


def main() -> None:
    """Write how far features and pitch are from the reference in the folder given as argument."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to standard output
    answers.write(json.dumps(measure(Path(os.environ["URVC_MODELS_DIR"]), Path(sys.argv[1]))))
    answers.flush()


def measure(assets_dir: Path, reference: Path) -> dict[str, float]:
    """``mean_cosine`` of the features, ``median_cents`` between the pitches where both are voiced."""
    import numpy as np
    import soundfile

    audio, _ = soundfile.read(reference / "reference.wav", dtype="float32")
    audio = audio[: len(audio) // FRAME_SAMPLES * FRAME_SAMPLES]
    return {
        "mean_cosine": _mean_cosine(_features(assets_dir, audio), np.load(reference / "contentvec/feats.npy")),
        "median_cents": _median_cents(_pitch_hz(assets_dir, audio), np.load(reference / "pitch_fine.npy")),
    }


def _features(assets_dir: Path, audio: Any) -> Any:
    import torch
    from ultimate_rvc.rvc.lib.utils import load_embedding

    _check_weights(contentvec_folder(assets_dir) / "pytorch_model.bin")
    model = load_embedding("contentvec").float().eval()
    padded = torch.nn.functional.pad(torch.from_numpy(audio).unsqueeze(0), (40, 40), mode="reflect")
    with torch.no_grad():
        return model(padded)["last_hidden_state"].squeeze(0).numpy()


def _pitch_hz(assets_dir: Path, audio: Any) -> Any:
    import torch  # noqa: F401 - before ultimate-rvc, whose lazy modules otherwise break torch's import
    from ultimate_rvc.rvc.lib.predictors.f0 import RMVPE

    _check_weights(assets_dir / RMVPE_WEIGHTS.path)
    return RMVPE(device="cpu", sample_rate=16_000, hop_size=160).get_f0(audio, filter_radius=0.03)


def _check_weights(path: Path) -> None:
    try:
        read_weights(path)
    except ValueError as error:
        sys.exit(str(error))


def _mean_cosine(ours: Any, theirs: Any) -> float:
    import numpy as np

    frames = min(len(ours), len(theirs))
    ours, theirs = ours[:frames], theirs[:frames]
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(np.mean(np.sum(ours * theirs, axis=1) / np.maximum(lengths, 1e-12)))


def _median_cents(ours: Any, theirs: Any) -> float:
    import numpy as np

    frames = min(len(ours), len(theirs))
    voiced = (ours[:frames] > VOICED_HZ) & (theirs[:frames] > VOICED_HZ)
    if voiced.sum() < 0.5 * (theirs[:frames] > VOICED_HZ).sum() or not voiced.any():
        return float("inf")
    return float(np.median(np.abs(1200 * np.log2(ours[:frames][voiced] / theirs[:frames][voiced]))))


if __name__ == "__main__":
    main()

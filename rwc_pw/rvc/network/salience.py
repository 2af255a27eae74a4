"""The networks that detect the pitch, taken from their packages, without the spectrum before and the decoding after.

Each maps magnitudes of ``SPECTRUM_SAMPLES`` under a Hann window, one every 10 ms, (1, frames, 513), to the salience of
``SALIENCE_BINS`` pitches in each frame. ``facts`` states the padding of the sound and the range of the pitches.
"""

import os
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn

from rwc_pw.rvc.detectors import FCPE, RMVPE
from rwc_pw.rvc.network.stored import tensors
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, CONTENT_RATE_HZ
from rwc_pw.rvc.weights import read_weights

SALIENCE_BINS = 360
RMVPE_LEAST_CENTS, RMVPE_STEP_CENTS = 1997.3794084376191, 20


class Rmvpe(nn.Module):
    """ultimate-rvc's RMVPE (Wei et al., 2023), which takes multiples of 32 frames; its spectra are centred."""

    def __init__(self, path: Path) -> None:
        os.environ.setdefault("URVC_NO_LOGGING", "1")  # otherwise it creates ./logs
        from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E, N_MELS, MelSpectrogram

        super().__init__()
        self._mel = MelSpectrogram(N_MELS, CONTENT_RATE_HZ, SPECTRUM_SAMPLES, CONTENT_FRAME_SAMPLES, None, 30, 8000)
        self._network = E2E(4, 1, (2, 2))
        self._network.load_state_dict(tensors(read_weights(path)))
        self.facts = {
            "padding_samples": SPECTRUM_SAMPLES // 2,
            "multiple_frames": 32,
            "least_salience": 0.03,
            "least_cents": RMVPE_LEAST_CENTS,
            "most_cents": RMVPE_LEAST_CENTS + RMVPE_STEP_CENTS * (SALIENCE_BINS - 1),
        }

    def forward(self, magnitudes: Tensor) -> Tensor:
        mel = torch.log(torch.clamp(self._mel.mel_basis @ magnitudes.transpose(1, 2), min=self._mel.clamp))
        return self._network(mel)


class Fcpe(nn.Module):
    """torchfcpe's FCPE (Luo et al., 2025), whose spectra begin (1024 - 160) / 2 samples before their frames."""

    def __init__(self, path: Path) -> None:
        from torchfcpe.models_infer import InferCFNaiveMelPE
        from torchfcpe.tools import DotDict

        super().__init__()
        stored = read_weights(path)
        with redirect_stdout(None):  # it prints which settings are its defaults
            whole = InferCFNaiveMelPE(DotDict(stored["config_dict"]), tensors(stored["model"]))
        self._mel = whole.wav2mel.mel_extractor
        self._network = whole.model
        cents = self._network.cent_table
        self.facts = {
            "padding_samples": (SPECTRUM_SAMPLES - CONTENT_FRAME_SAMPLES) // 2,
            "multiple_frames": 1,
            "least_salience": 0.006,
            "least_cents": float(cents[0]),
            "most_cents": float(cents[-1]),
        }

    def forward(self, magnitudes: Tensor) -> Tensor:
        mel = torch.log(torch.clamp(magnitudes @ self._mel.mel_basis.T, min=self._mel.clip_val))
        return self._network(mel)


NETWORKS: dict[str, type[Rmvpe] | type[Fcpe]] = {RMVPE.name: Rmvpe, FCPE.name: Fcpe}

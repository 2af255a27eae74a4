"""The files of which a voice's networks are made."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rwc_pw.rvc.assets import contentvec_folder, require
from rwc_pw.rvc.detectors import PitchDetector
from rwc_pw.rvc.network.carry import Weights
from rwc_pw.system.extra import load_module, package_folder
from rwc_pw.voices.architecture import Architecture
from rwc_pw.voices.checkpoint import read_stored
from rwc_pw.voices.rvc_voice import MODEL_FILE
from rwc_pw.voices.stored_voice import StoredVoice

SOURCE = "dec.m_source.l_linear"


@dataclass(frozen=True)
class VoiceSources:
    """A stored voice, and the files that it needs besides."""

    name: str
    folder: Path
    """The voice's."""
    contentvec: Path
    """A folder."""
    detector: PitchDetector | None
    """None if the voice has no pitch."""
    detector_weights: Path | None
    """None if they come with the detector's package."""

    @classmethod
    def find(cls, voice: StoredVoice, assets_dir: Path, detector: PitchDetector) -> "VoiceSources":
        """The sources of ``voice``; ``UnavailableError`` if the extra or one of them is missing.

        ``assets_dir`` has ultimate-rvc's layout.
        """
        for package in ("openvino", "swift_f0"):
            package_folder(package)
        used = detector if voice.facts.has_pitch else None
        require(assets_dir, used.asset if used else None)
        weights = used.weights(assets_dir) if used else None
        return cls(voice.facts.name, voice.folder, contentvec_folder(assets_dir), used, weights)

    @cached_property
    def network(self) -> Architecture:
        """The form of the voice's network."""
        return read_network(self.folder)

    @cached_property
    def source(self) -> tuple[float, float]:
        """Weight and bias of the linear layer of the sine's source; zeros if the voice has no pitch."""
        if not self.network.has_pitch:
            return 0.0, 0.0
        weights = self.weights()
        weight, bias = (float(weights[f"{SOURCE}.{part}"].reshape(())) for part in ("weight", "bias"))
        return weight, bias

    def weights(self) -> Weights:
        """The voice's weights."""
        return read_stored(self.folder)[0]


def read_network(voice_folder: Path) -> Architecture:
    """The form of a stored voice's network."""
    with load_module("safetensors").safe_open(voice_folder / MODEL_FILE, "np") as model:
        metadata, (speakers, _) = model.metadata(), model.get_slice("emb_g.weight").get_shape()
    config = json.loads(metadata["config"])
    return Architecture.from_config(config, metadata["version"], int(metadata["f0"]), speakers)

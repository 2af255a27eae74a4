"""The files of which a voice's networks are made."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rwc_pw.rvc.detectors import PitchDetector
from rwc_pw.rvc.network.carry import Weights
from rwc_pw.voices.architecture import Architecture
from rwc_pw.voices.checkpoint import read_stored


@dataclass(frozen=True)
class VoiceSources:
    """A stored voice, and the files that it needs besides."""

    folder: Path
    """The voice's."""
    contentvec: Path
    """A folder."""
    detector: PitchDetector | None
    """None if the voice has no pitch."""
    detector_weights: Path | None
    """None if they come with the detector's package."""

    @cached_property
    def voice(self) -> tuple[Architecture, Weights]:
        """The voice's network and its weights."""
        weights, metadata = read_stored(self.folder)
        speakers = len(weights["emb_g.weight"])
        config = json.loads(metadata["config"])
        return Architecture.from_config(config, metadata["version"], int(metadata["f0"]), speakers), weights

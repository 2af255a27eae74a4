"""The pitch detectors of RVC voices: a row for each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rwc_pw.rvc.asset import Asset

if TYPE_CHECKING:
    from rwc_pw.rvc.network.salience import SalienceNetwork

AUTO = "auto"
"""The f0_method that means the backend's default detector."""


@dataclass(frozen=True)
class PitchDetector:
    """A way to find the pitch of a voice."""

    name: str
    """As in ``f0_method``."""
    asset: Asset | None
    """Its weights; None if they come with its package, which computes on CPUs only."""
    network: Callable[[], "type[SalienceNetwork]"] | None
    """Imports the network that those weights are of."""
    in_ultimate_rvc: bool
    """True if ultimate-rvc has it under this name."""

    def weights(self, assets_dir: Path) -> Path | None:
        """The file of its weights in a models folder."""
        return assets_dir / self.asset.path if self.asset else None


def _rmvpe() -> "type[SalienceNetwork]":
    from rwc_pw.rvc.network.rmvpe import Rmvpe

    return Rmvpe


def _fcpe() -> "type[SalienceNetwork]":
    from rwc_pw.rvc.network.fcpe import Fcpe

    return Fcpe


# The hash is in RVC-Project's .env, and the hub lists it for ultimate-rvc's resources, too.
RMVPE_WEIGHTS = Asset(
    "RMVPE",
    "rvc/predictors/rmvpe.pt",
    "predictors/rmvpe.pt",
    "6d62215f4306e3ca278246188607209f09af3dc77ed4232efdd069798c4ec193",
)
RMVPE = PitchDetector("rmvpe", RMVPE_WEIGHTS, _rmvpe, in_ultimate_rvc=True)
FCPE = PitchDetector("fcpe", Asset("FCPE", "rvc/predictors/fcpe.pt", "", None), _fcpe, in_ultimate_rvc=True)
SWIFTF0 = PitchDetector("swiftf0", None, None, in_ultimate_rvc=False)
DETECTORS = FCPE, SWIFTF0, RMVPE
F0_METHODS = (AUTO, *(detector.name for detector in DETECTORS))


def detector_named(name: str) -> PitchDetector:
    """The detector of that name, which there is."""
    return next(detector for detector in DETECTORS if detector.name == name)

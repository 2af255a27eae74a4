"""Verifies what was fetched against the reference that ultimate-rvc ships.

Its wheel has 35 s of speech, and the real ContentVec's and RMVPE's output for it
(``rvc/train/models/reference``, ``create_reference.py``).
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rwc_pw.errors import RwcPwError, UnavailableError
from rwc_pw.rvc.assets import missing
from rwc_pw.system.extra import check_extra, package_folder

MEASURE = ("-P", "-m", "rwc_pw.rvc.measure")
LEAST_COSINE = 0.999
MOST_CENTS = 1.0
LONGEST_S = 600.0


@dataclass(frozen=True)
class Proof:
    """One comparison."""

    what: str
    measured: str
    needed: str
    passed: bool


def prove(assets_dir: Path, reference: Path | None = None) -> list[Proof]:
    """Compare ContentVec's features and RMVPE's pitch with ``reference``, by default ultimate-rvc's own.

    ``UnavailableError`` without the extra or what `rwc-pw setup` fetches, ``RwcPwError`` if they cannot be computed.
    """
    reference = reference or package_folder("ultimate_rvc") / "rvc/train/models/reference"
    if absent := missing(assets_dir):  # ultimate-rvc would fetch some of them, unverified
        names = ", ".join(asset.path for asset in absent)
        raise UnavailableError(f"{assets_dir} has no {names}.", "Run `rwc-pw setup`.")
    measured = _measure(assets_dir.resolve(), reference.resolve())
    cosine, cents = measured["mean_cosine"], measured["median_cents"]
    return [
        Proof("ContentVec's features", f"mean cosine {cosine:.5f}", f"at least {LEAST_COSINE}", cosine >= LEAST_COSINE),
        Proof("RMVPE's pitch", f"median {cents:.2f} cents off", f"at most {MOST_CENTS:g}", cents <= MOST_CENTS),
    ]


def _measure(assets_dir: Path, reference: Path) -> dict[str, float]:
    environment = {"URVC_MODELS_DIR": str(assets_dir), "URVC_NO_LOGGING": "1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="rwc-pw-") as scratch:
        try:
            done = subprocess.run(
                [sys.executable, *MEASURE, str(reference)],
                capture_output=True,
                timeout=LONGEST_S,
                cwd=scratch,
                env={**os.environ, **environment},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RwcPwError(f"The proof took more than {LONGEST_S:g} s.", "Run it again on an idle machine.") from None
    try:
        answer: dict[str, float] = json.loads(done.stdout)
    except ValueError:
        check_extra()
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["its process was ended"]
        raise RwcPwError(
            f"The RVC model files in {assets_dir} cannot be used: {said[-1].strip().rstrip('.')}.",
            "Remove rvc/embedders/contentvec and rvc/predictors/rmvpe.pt there, then run `rwc-pw setup`.",
        ) from None
    return answer

"""Whether what was fetched is right: measured against the reference that ultimate-rvc ships.

Its wheel has 35 s of speech, and what the real ContentVec and RMVPE make of it
(``rvc/train/models/reference``, ``create_reference.py``).
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rwc_pw.errors import RwcPwError, UnavailableError

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


def prove(models_dir: Path, reference: Path | None = None) -> list[Proof]:
    """Compare ContentVec's features and RMVPE's pitch with ``reference``, by default ultimate-rvc's own.

    ``UnavailableError`` without the extra, ``RwcPwError`` when they cannot be computed.
    """
    measured = _measure(models_dir, reference or _shipped_reference())
    cosine, cents = measured["mean_cosine"], measured["median_cents"]
    return [
        Proof("ContentVec's features", f"mean cosine {cosine:.5f}", f"at least {LEAST_COSINE}", cosine >= LEAST_COSINE),
        Proof("RMVPE's pitch", f"median {cents:.2f} cents off", f"at most {MOST_CENTS:g}", cents <= MOST_CENTS),
    ]


def _shipped_reference() -> Path:
    package = find_spec("ultimate_rvc")
    if package is None or package.origin is None:
        raise UnavailableError(
            "RVC voices need ultimate-rvc, which is not installed.",
            'Run `./install.sh --rvc`, or `pip install "rwc-pw[rvc]"`.',
        )
    return Path(package.origin).parent / "rvc/train/models/reference"


def _measure(models_dir: Path, reference: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="rwc-pw-") as scratch:
        done = subprocess.run(
            [sys.executable, *MEASURE, str(reference)],
            capture_output=True,
            timeout=LONGEST_S,
            cwd=scratch,
            env={**os.environ, "URVC_MODELS_DIR": str(models_dir), "URVC_NO_LOGGING": "1", "HF_HUB_OFFLINE": "1"},
            check=False,
        )
    try:
        answer: dict[str, float] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it was ended"]
        raise RwcPwError(
            f"What every RVC voice needs in {models_dir} cannot be used: {said[-1]}.",
            "Remove that folder, then run `rwc-pw setup`.",
        ) from None
    return answer

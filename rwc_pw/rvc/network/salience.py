"""The networks that rate the salience of pitches: a row for each.

Each maps magnitudes of ``SPECTRUM_SAMPLES`` under a Hann window, one every 10 ms, (1, frames, 513), to the salience of
360 pitches in each frame.
"""

from collections.abc import Callable
from typing import Any

from rwc_pw.rvc.detectors import FCPE, RMVPE
from rwc_pw.rvc.network.fcpe import Fcpe
from rwc_pw.rvc.network.operations import Operations
from rwc_pw.rvc.network.rmvpe import Rmvpe

NETWORKS: dict[str, Callable[[Operations, Any], Fcpe | Rmvpe]] = {RMVPE.name: Rmvpe, FCPE.name: Fcpe}

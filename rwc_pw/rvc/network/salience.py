"""The networks that rate the salience of pitches: a row for each.

Each maps magnitudes of ``SPECTRUM_SAMPLES`` under a Hann window, one every 10 ms, (1, frames, 513), to the salience of
360 pitches in each frame.
"""

from rwc_pw.rvc.detectors import FCPE, RMVPE
from rwc_pw.rvc.network.fcpe import Fcpe
from rwc_pw.rvc.network.rmvpe import Rmvpe

NETWORKS: dict[str, type[Fcpe] | type[Rmvpe]] = {RMVPE.name: Rmvpe, FCPE.name: Fcpe}

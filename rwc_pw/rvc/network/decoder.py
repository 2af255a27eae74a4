"""Flow and generator: the text encoder's frames become sound, block by block."""

import math

from rwc_pw.rvc.network.carry import Carry, Weights, without_weight_norm
from rwc_pw.rvc.network.flow import Flow
from rwc_pw.rvc.network.generator import Generator
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.voices.architecture import Architecture


class Decoder:
    """Frames (1, inter, n) and their source to sound, (1, 1, n · ``samples_per_frame``).

    The provisional frames are the look-ahead of the others: with 37 of them the output equals the offline network's,
    with fewer it is close.
    """

    def __init__(self, operations: Operations, weights: Weights, network: Architecture) -> None:
        """``weights`` as stored; the voice's first speaker is used."""
        plain = without_weight_norm(weights)
        speaker = plain["emb_g.weight"][0]
        self.samples_per_frame = math.prod(network.upsample_rates)
        self._flow = Flow(operations, plain, speaker)
        self._generator = Generator(operations, plain, network, speaker)

    def __call__(self, frames: Value, source: Value | None, carry: Carry) -> Value:
        """``source``, (1, 1, n · ``samples_per_frame``), is given if the voice follows the pitch."""
        return self._generator(self._flow(frames, carry), source, carry)

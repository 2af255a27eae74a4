"""From the text encoder's frames to sound, block by block."""

import math

from torch import Tensor, nn

from rwc_pw.rvc.network.carry import Carry, Weights, without_weight_norm
from rwc_pw.rvc.network.flow import Flow
from rwc_pw.rvc.network.generator import Generator
from rwc_pw.voices.architecture import Architecture


class Decoder(nn.Module):
    """Frames (1, inter, n) and their source to sound, (1, 1, n · ``samples_per_frame``).

    The provisional frames are the look-ahead of the others: with 37 of them the output equals the offline network's,
    with fewer it is close.
    """

    def __init__(self, weights: Weights, network: Architecture) -> None:
        """``weights`` as stored; the voice's first speaker is used."""
        super().__init__()
        plain = without_weight_norm(weights)
        speaker = plain["emb_g.weight"][:1, :, None]
        self.samples_per_frame = math.prod(network.upsample_rates)
        self._flow = Flow(plain, speaker)
        self._generator = Generator(plain, network, speaker)

    def forward(self, frames: Tensor, source: Tensor | None, carry: Carry) -> Tensor:
        """``source``, (1, 1, n · ``samples_per_frame``), is given if the voice follows the pitch."""
        return self._generator(self._flow(frames, carry), source, carry)

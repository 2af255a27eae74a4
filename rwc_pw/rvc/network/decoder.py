"""From the text encoder's frames to sound, block by block."""

import math

from torch import Tensor, nn

from rwc_pw.rvc.network.flow import Flow
from rwc_pw.rvc.network.generator import Generator
from rwc_pw.rvc.network.streams import Carry, Weights, without_weight_norm
from rwc_pw.voices.architecture import Architecture


class Decoder(nn.Module):
    """Frames (1, inter, n) and their source to their sound, (1, 1, n · ``samples_per_frame``).

    Those that are provisional are what the others look ahead to: with 37 of them it says what the offline network
    says, with fewer nearly so.
    """

    def __init__(self, weights: Weights, network: Architecture) -> None:
        """``weights`` as the store keeps them; the voice's first speaker speaks."""
        super().__init__()
        plain = without_weight_norm(weights)
        speaker = plain["emb_g.weight"][:1, :, None]
        self.samples_per_frame = math.prod(network.upsample_rates)
        self._flow = Flow(plain, speaker)
        self._generator = Generator(plain, network, speaker)

    def forward(self, frames: Tensor, source: Tensor | None, carry: Carry) -> Tensor:
        """``source``, (1, 1, n · ``samples_per_frame``), is there where the voice follows the pitch."""
        return self._generator(self._flow(frames, carry), source, carry)

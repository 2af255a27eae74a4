"""From the text encoder's frames to sound, block by block."""

import math

from torch import Tensor, nn

from rwc_pw.rvc.network.flow import Flow
from rwc_pw.rvc.network.generator import Generator
from rwc_pw.rvc.network.streams import Carry, Weights, without_weight_norm
from rwc_pw.voices.architecture import Architecture


class Decoder(nn.Module):
    """Frames (1, inter, n) and source (1, 1, n · ``samples_per_frame``) to sound, ``ahead`` behind.

    With the whole ``ahead`` it says what the offline network says; every frame is computed once.
    """

    def __init__(self, weights: Weights, network: Architecture) -> None:
        """``weights`` as the store keeps them; the voice's first speaker speaks."""
        super().__init__()
        plain = without_weight_norm(weights)
        speaker = plain["emb_g.weight"][:1, :, None]
        self.samples_per_frame = math.prod(network.upsample_rates)
        self._flow = Flow(plain, speaker)
        self._generator = Generator(plain, network, speaker)
        self._source_behind = self._flow.ahead * self.samples_per_frame
        self.ahead = self._source_behind + self._generator.ahead

    def forward(self, frames: Tensor, source: Tensor | None, carry: Carry) -> Tensor:
        if source is not None:
            source = carry.delay(source, self._source_behind)
        return self._generator(self._flow(frames, carry), source, carry)

"""The inverse flow: from the text encoder's output to the generator's input (VITS, Kim et al., 2021)."""

import torch
from torch import Tensor, nn

from rwc_pw.rvc.network.carry import Carry, Conv, Weights
from rwc_pw.voices.architecture import FLOWS, WAVENET_LAYERS


class Flow(nn.Module):
    """Frames (1, inter, n) to (1, inter, n); sees 24 frames ahead and as many back."""

    def __init__(self, weights: Weights, speaker: Tensor) -> None:
        """``speaker`` is the embedding, (1, channels, 1)."""
        super().__init__()
        self._couplings = nn.ModuleList(_Coupling(weights, f"flow.flows.{number}", speaker) for number in FLOWS[::-1])

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        for coupling in self._couplings:
            block = coupling(torch.flip(block, [1]), carry)
        return block


class _Coupling(nn.Module):
    """One half of the channels is unchanged, and determines what is subtracted from the other."""

    def __init__(self, weights: Weights, name: str, speaker: Tensor) -> None:
        super().__init__()
        self._pre = Conv(weights, f"{name}.pre")
        self._wavenet = _WaveNet(weights, f"{name}.enc", speaker)
        self._post = Conv(weights, f"{name}.post")

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        stays, changed = torch.chunk(block, 2, dim=1)
        taken = self._post(self._wavenet(self._pre(stays, carry), carry), carry)
        return torch.cat([stays, changed - taken], dim=1)


class _WaveNet(nn.Module):
    """Gated convolutions (van den Oord et al., 2016), conditioned on the speaker."""

    def __init__(self, weights: Weights, name: str, speaker: Tensor) -> None:
        super().__init__()
        self._inputs = nn.ModuleList(Conv(weights, f"{name}.in_layers.{at}") for at in range(WAVENET_LAYERS))
        self._outputs = nn.ModuleList(Conv(weights, f"{name}.res_skip_layers.{at}") for at in range(WAVENET_LAYERS))
        conditions = Conv(weights, f"{name}.cond_layer")(speaker, Carry(0))
        self.register_buffer("_conditions", torch.cat(torch.chunk(conditions, WAVENET_LAYERS, dim=1), dim=0))

    def forward(self, block: Tensor, carry: Carry) -> Tensor:
        hidden = block.shape[1]
        total = torch.zeros_like(block)
        for at, (entry, output) in enumerate(zip(self._inputs, self._outputs, strict=True)):
            gated = entry(block, carry) + self._conditions[at : at + 1]
            told = output(torch.tanh(gated[:, :hidden]) * torch.sigmoid(gated[:, hidden:]), carry)
            total = total + told[:, told.shape[1] - hidden :]
            if at < WAVENET_LAYERS - 1:
                block = block + told[:, :hidden]
        return total

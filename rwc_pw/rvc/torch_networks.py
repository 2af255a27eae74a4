"""The networks of a voice in torch."""

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
from rwc_pw.rvc.network.torch_operations import TorchOperations
from rwc_pw.rvc.pitch import SalienceDetector
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.retrieval import LEAST_DISTANCE, NEIGHBOURS, Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.weights import read_weights


class TorchNetworks:
    """The ``Networks`` of a voice in torch; in ``precision`` but for the pitch, which keeps float32."""

    def __init__(
        self, sources: VoiceSources, plan: Plan, retrieval: Retrieval | None, device: str, precision: torch.dtype
    ) -> None:
        network, weights = sources.network, sources.weights()
        ops = TorchOperations(device, precision)
        self.functions: Any = torch
        self.channels = network.inter
        self.samples_per_frame = network.sample_rate_hz // 100
        self.source = sources.source
        self.pitch: Callable[[Tensor], Tensor] | None = _detector(sources, plan, device)
        self.retrieval: Callable[[Tensor, Tensor], Tensor] | None = None
        if retrieval:
            self.retrieval = _GpuRetrieval(torch.from_numpy(retrieval.features).to(device))
        self._precision = precision
        self._provisional_frames = plan.look_ahead_frames
        self._operations = ops
        self._content = Content(ops, sources.contentvec, network.version)
        self._text = TextEncoder(ops, weights, network)
        positions = relative_positions(plan.text_frames, network.heads)
        self._positions = ops.constant(positions[0]), ops.constant(positions[1])
        self._decoder = Decoder(ops, weights, network)
        self._past = self._first_past(plan, device)

    def reset(self) -> None:
        for past in self._past:
            past.zero_()

    def content(self, window: Tensor) -> Tensor:
        features: Tensor = self._content(window[None].to(self._precision))[0]
        return features.float()

    def text(self, features: Tensor, bins: Tensor | None) -> tuple[Tensor, Tensor]:
        mean, log_deviation = self._text(features[None].to(self._precision), *self._positions, bins)
        return mean[0].float(), log_deviation[0].float()

    def decoded(self, frames: Tensor, source: Tensor | None) -> Tensor:
        carry = Carry(self._operations, self._provisional_frames, self._past)
        driven = None if source is None else source[None, None].to(self._precision)
        sound: Tensor = self._decoder(frames[None].to(self._precision), driven, carry)
        for past, after in zip(self._past, carry.after, strict=True):
            past.copy_(after)
        return sound[0, 0].float()

    def _first_past(self, plan: Plan, device: str) -> list[Tensor]:
        carry = Carry(self._operations, plan.look_ahead_frames)
        frames = torch.zeros(1, self.channels, plan.decoded_frames, dtype=self._precision, device=device)
        samples = plan.decoded_frames * self.samples_per_frame
        source = torch.zeros(1, 1, samples, dtype=self._precision, device=device) if self.pitch else None
        self._decoder(frames, source, carry)
        return [torch.zeros_like(after) for after in carry.after]


class _GpuRetrieval:
    """Searches the whole index, as a GPU can afford; ``Retrieval`` searches the nearest cells."""

    def __init__(self, indexed: Tensor) -> None:
        self._indexed = indexed
        self._squares = indexed.square().sum(dim=1)

    def __call__(self, features: Tensor, rate: Tensor) -> Tensor:
        unlike = self._squares - 2 * features @ self._indexed.T
        nearest = unlike.topk(min(NEIGHBOURS, len(self._indexed)), dim=1, largest=False).indices
        found = self._indexed[nearest]
        distances = (found - features[:, None]).square().sum(dim=2).double()
        weights = 1 / distances.clamp(min=LEAST_DISTANCE) ** 2
        shares = (weights / weights.sum(dim=1, keepdim=True)).float()
        return rate * (shares[:, :, None] * found).sum(dim=1) + (1 - rate) * features


def _detector(sources: VoiceSources, plan: Plan, device: str) -> SalienceDetector | None:
    detector, weights = sources.detector, sources.detector_weights
    if not (detector and detector.network and weights):
        return None
    network = detector.network()(TorchOperations(device, torch.float32), read_weights(weights))

    def array(values: NDArray[Any]) -> Tensor:
        return torch.tensor(values, device=device)

    return SalienceDetector(torch, array, network, network.facts, plan.window_samples)

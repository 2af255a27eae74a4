"""A voice on a GPU: inputs to the GPU, a single CUDA graph, the result back."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rwc_pw.rvc.block import BlockState, compute
from rwc_pw.rvc.gpu import CUDA
from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
from rwc_pw.rvc.network.torch_operations import TorchOperations
from rwc_pw.rvc.pitch import SalienceDetector
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.retrieval import LEAST_DISTANCE, NEIGHBOURS, Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import Array, StepNoise, StepSettings
from rwc_pw.rvc.weights import read_weights
from rwc_pw.voices.architecture import FEATURES

WARM_UP_BLOCKS = 3  # in which cuDNN and cuBLAS choose their algorithms, as CUDA graphs require


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
        mean, log_deviation = self._text(features[None].to(self._precision), self._positions, bins)
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


class GpuVoice:
    """A ``Step`` in float16 and as a CUDA graph; in float32 and without one where ``device`` is the CPU."""

    def __init__(self, sources: VoiceSources, plan: Plan, retrieval: Retrieval | None, device: str) -> None:
        is_gpu = device == CUDA
        with torch.no_grad():
            precision = torch.float16 if is_gpu else torch.float32
            self._networks = TorchNetworks(sources, plan, retrieval, device, precision)
        self.channels, self.samples_per_frame = self._networks.channels, self._networks.samples_per_frame
        self._plan = plan
        self._state = first_state(sources, plan, device)
        frames = plan.decoded_frames
        shapes = (plan.window_samples,), (frames, self.channels), (frames, self.samples_per_frame), (3,)
        self._there = [torch.zeros(shape, device=device) for shape in shapes]
        self._here = [torch.zeros(shape, pin_memory=is_gpu) for shape in shapes]
        self._graph = self._captured() if is_gpu else None
        self.reset()

    def reset(self) -> None:
        self._networks.reset()
        for past in (self._state.features, self._state.pitch_hz, self._state.phase):
            past.zero_()
        self._state.begins.fill_(True)

    def __call__(self, window: Array, noise: StepNoise, settings: StepSettings) -> Array:
        given = window, noise.frames, noise.source, settings.numbers()
        for here, there, values in zip(self._here, self._there, given, strict=True):
            here.copy_(torch.from_numpy(values))
            there.copy_(here, non_blocking=True)
        if self._graph:
            self._graph.replay()
        else:
            self._output = self._compute()
        output: Array = self._output.cpu().numpy()  # waits for the GPU to finish
        if not np.isfinite(output).all():  # as some GPUs return for float16
            raise RuntimeError("its numbers are not finite")
        return output

    def _compute(self) -> Tensor:
        window, frames, source, settings = self._there
        with torch.no_grad():
            sound, after = compute(self._networks, self._plan, self._state, window, (frames, source), settings)
            for past, now in zip(vars(self._state).values(), vars(after).values(), strict=True):
                past.copy_(now)
        output: Tensor = sound
        return output

    def _captured(self) -> torch.cuda.CUDAGraph:
        side, graph = _side_stream(), torch.cuda.CUDAGraph()
        # as exact as on the CPU: the float32 parts detect the pitch
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP_BLOCKS):
                    self._compute()
            torch.cuda.current_stream().wait_stream(side)
            # another voice may be speaking in its own thread
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                self._output = self._compute()
        return graph


class _GpuRetrieval:
    """``Retrieval`` over the whole index: a GPU can afford to search more than the nearest cell."""

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


def first_state(sources: VoiceSources, plan: Plan, device: str) -> BlockState:
    """The state before any block."""
    network = sources.network
    return BlockState(
        torch.zeros(plan.past_frames, FEATURES[network.version], device=device),
        torch.zeros(plan.past_frames, device=device),
        torch.zeros((), dtype=torch.float64, device=device),
        torch.ones((), dtype=torch.bool, device=device),
    )


def _detector(sources: VoiceSources, plan: Plan, device: str) -> SalienceDetector | None:
    detector, weights = sources.detector, sources.detector_weights
    if not (detector and detector.network and weights):
        return None
    network = detector.network()(TorchOperations(device, torch.float32), read_weights(weights))

    def array(values: NDArray[Any]) -> Tensor:
        return torch.tensor(values, device=device)

    return SalienceDetector(torch, array, network, network.facts, plan.window_samples)


@cache
def _side_stream() -> torch.cuda.Stream:
    """One for all voices, which are loaded one at a time: cuBLAS never frees a stream's memory."""
    return torch.cuda.Stream()

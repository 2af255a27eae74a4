"""A voice on a GPU: inputs to the GPU, a single CUDA graph, the result back."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from rwc_pw.rvc.block import BlockState, compute
from rwc_pw.rvc.gpu import CUDA
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import Array, StepNoise, StepSettings
from rwc_pw.rvc.torch_networks import TorchNetworks
from rwc_pw.voices.architecture import FEATURES

WARM_UP_BLOCKS = 3  # in which cuDNN and cuBLAS choose their algorithms, as CUDA graphs require


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


def first_state(sources: VoiceSources, plan: Plan, device: str) -> BlockState:
    """The state before any block."""
    network = sources.network
    return BlockState(
        torch.zeros(plan.past_frames, FEATURES[network.version], device=device),
        torch.zeros(plan.past_frames, device=device),
        torch.zeros((), dtype=torch.float64, device=device),
        torch.ones((), dtype=torch.bool, device=device),
    )


@cache
def _side_stream() -> torch.cuda.Stream:
    """One for all voices, which are loaded one at a time: cuBLAS never frees a stream's memory."""
    return torch.cuda.Stream()

"""One block of a voice on a GPU: inputs to the GPU, a single CUDA graph, the result back."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rwc_pw.rvc.gpu import CUDA
from rwc_pw.rvc.network.whole import WholeVoice
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.step import Array, StepNoise, StepSettings

WARM_UP_BLOCKS = 3  # in which cuDNN and cuBLAS choose their algorithms, as CUDA graphs require


class GpuStep:
    """A ``Step`` with the stored voice's own weights; in float16 and as a CUDA graph if the device is a GPU."""

    def __init__(
        self,
        contentvec: Path,
        voice: Path,
        plan: Plan,
        detector: Path | None,
        retrieval: Retrieval | None,
        device: str,
    ) -> None:
        indexed = None if retrieval is None else torch.from_numpy(retrieval.features)
        with torch.no_grad():
            self._network = WholeVoice(contentvec, voice, plan, detector, indexed).eval()
        self.channels, self.samples_per_frame = self._network.channels, self._network.samples_per_frame
        is_gpu = device == CUDA
        if is_gpu:
            self._network.halve()
        self._network.to(device)
        frames = plan.decoded_frames
        shapes = (plan.window_samples,), (frames, self.channels), (frames, self.samples_per_frame), (3,)
        self._there = [torch.zeros(shape, device=device) for shape in shapes]
        self._here = [torch.zeros(shape, pin_memory=is_gpu) for shape in shapes]
        self._graph = self._captured() if is_gpu else None
        self.reset()

    def reset(self) -> None:
        self._network.reset()

    def __call__(self, window: Array, noise: StepNoise, settings: StepSettings) -> Array:
        numbers = np.array([settings.pitch_ratio, settings.index_rate, settings.protect], np.float32)
        for here, there, values in zip(
            self._here, self._there, (window, noise.frames, noise.source, numbers), strict=True
        ):
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
        with torch.no_grad():
            output: Tensor = self._network(*self._there)
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


@cache
def _side_stream() -> torch.cuda.Stream:
    """One for all voices, which are loaded one at a time: cuBLAS never frees a stream's memory."""
    return torch.cuda.Stream()

"""A network that ``rwc_pw.rvc.network.export`` wrote, opened on the CPU."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rwc_pw.rvc.quiet_openvino import load_openvino

THREADS = min(4, len(os.sched_getaffinity(0)))
MADV_PAGEOUT = 21  # of <asm-generic/mman-common.h>, since Linux 5.4; elsewhere it is refused, and nothing is lost


class CpuNetwork:
    """OpenVINO's, in bfloat16 where the CPU has it."""

    settings: ClassVar[dict[str, object]] = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}

    def __init__(self, path: Path, lengths: Sequence[int]) -> None:
        """``lengths`` are those of the block that its first inputs are given; what follows is state."""
        core = load_openvino().Core()
        model = core.read_model(path)
        inputs = zip(model.inputs, lengths, strict=False)
        model.reshape({port: _fixed(port.partial_shape, length) for port, length in inputs})
        self._request = core.compile_model(model, "CPU", self.settings).create_infer_request()
        self.state_shapes = [tuple(port.shape) for port in self._request.model_inputs[len(lengths) :]]
        _page_out(path.with_suffix(".bin"))

    def __call__(self, *values: Any) -> list[Any]:
        """Its outputs, which the next call overwrites."""
        result = self._request.infer(list(values), share_inputs=True)
        return [result[port] for port in self._request.model_outputs]


def _fixed(shape: Any, length: int) -> list[int]:
    return [length if size.is_dynamic else size.get_length() for size in shape]


def _page_out(file: Path) -> None:
    """Give back the memory of a mapped file: OpenVINO works on a copy in its own layout, and keeps both."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    name = str(file.resolve())
    for line in Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines():
        if line.endswith(name):
            start, end = (int(address, 16) for address in line.split(maxsplit=1)[0].split("-"))
            madvise(start, end - start, MADV_PAGEOUT)

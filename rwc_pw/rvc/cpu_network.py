"""Runs a network on the CPU, by OpenVINO."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from rwc_pw.system.extra import load_module
from rwc_pw.system.memory import page_out

THREADS = min(4, len(os.sched_getaffinity(0)))


class CpuNetwork:
    """A network in OpenVINO; its state stays within."""

    settings: ClassVar[dict[str, object]] = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}

    def __init__(self, path: Path, shapes: Sequence[Sequence[int]], precision: str | None = None) -> None:
        """``path`` is the graph's ``.xml``, ``shapes`` are those of its inputs.

        ``precision`` is ``bf16`` or ``f32``; None leaves it to OpenVINO: bfloat16 where the CPU supports it.
        """
        hint = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        # OpenVINO (2026.4) gives the thread that first uses its CPU plugin a stack for signals, and unmaps it later;
        # from then on, any signal to that thread would end the process. This thread has ended by then.
        with ThreadPoolExecutor(1) as thread:
            self._request = thread.submit(self._compiled, path, shapes, {**hint, **self.settings}).result()
        page_out(path.with_suffix(".bin"))  # OpenVINO works on a copy in its own layout, but keeps both in memory

    def _compiled(self, path: Path, shapes: Sequence[Sequence[int]], settings: dict[str, object]) -> Any:
        core = load_module("openvino").Core()
        model = core.read_model(path)
        model.reshape({port: list(shape) for port, shape in zip(model.inputs, shapes, strict=True)})
        return core.compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, *values: Any) -> list[Any]:
        """The outputs."""
        result = self._request.infer(list(values), share_inputs=True)
        return [result[port] for port in self._request.model_outputs]

    def reset(self) -> None:
        """Set the state to zeros."""
        self._request.reset_state()

"""The precision in which this CPU convolves fastest."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.system.extra import load_module

CHANNELS, KERNEL, LENGTH = 128, 7, 1000  # as in the middle of a generator
RUNS = 15
WORTH_IT = 0.9  # of bfloat16's time: it halves the memory
BF16, F32 = "bf16", "f32"


@cache
def convolution_precision() -> str:
    """Return ``bf16`` or ``f32``, as measured once in this process, in a quarter of a second.

    OpenVINO takes bfloat16 wherever the CPU has instructions for it. With AMX, and on Zen 4, it takes half the time or
    less; on a Xeon without AMX, half as much again.
    """
    with ThreadPoolExecutor(1) as thread:  # for the reason that CpuNetwork has
        return thread.submit(_fastest).result()


def _fastest() -> str:
    core = load_module("openvino").Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return F32
    times_s = measured_s([_convolution(core, BF16), _convolution(core, F32)])
    return F32 if times_s[1] < WORTH_IT * times_s[0] else BF16


def measured_s(requests: list[Any]) -> list[float]:
    """The shortest time of each request, on a machine that may be busy; they take turns."""
    sound = np.ones((1, CHANNELS, LENGTH), np.float32)
    times_s = np.full((RUNS, len(requests)), np.inf)
    for run in range(RUNS):
        for number, request in enumerate(requests):
            started_s = time.perf_counter()
            request.infer([sound])
            times_s[run, number] = time.perf_counter() - started_s
    shortest_s: list[float] = times_s.min(axis=0).tolist()
    return shortest_s


def _convolution(core: Any, precision: str) -> Any:
    ops = OpenvinoOperations()
    sound, weight = ops.input([1, CHANNELS, LENGTH]), np.full((CHANNELS, CHANNELS, KERNEL), 0.01, np.float32)
    model = ops.model([sound], [ops.conv1d(sound, ops.constant(weight))], [])
    settings = {**CpuNetwork.settings, "INFERENCE_PRECISION_HINT": precision}
    return core.compile_model(model, "CPU", settings).create_infer_request()

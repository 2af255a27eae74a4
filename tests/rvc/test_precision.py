"""The decoder computes in the precision that this CPU is fastest in."""

import pytest

from rwc_pw.rvc import cpu_voice, precision
from rwc_pw.rvc.precision import BF16, F32, convolution_precision
from rwc_pw.streaming import ConversionConfig, StreamingConverter

pytestmark = pytest.mark.needs_rvc


@pytest.fixture(autouse=True)
def _measured_anew():
    convolution_precision.cache_clear()
    yield
    convolution_precision.cache_clear()


class Core:
    """A CPU with these capabilities."""

    def __init__(self, *capabilities: str) -> None:
        self._capabilities = capabilities

    def get_property(self, *_: object) -> tuple[str, ...]:
        return self._capabilities


@pytest.mark.parametrize(
    ("bf16_s", "f32_s", "chosen"), [(1.0, 2.0, BF16), (1.5, 1.0, F32), (1.0, 1.0, BF16), (1.0, 0.95, BF16)]
)
def test_float32_is_chosen_where_it_is_faster_by_a_tenth(monkeypatch, bf16_s, f32_s, chosen):
    monkeypatch.setattr(precision.load_module("openvino"), "Core", lambda: Core("FP32", "BF16"))
    monkeypatch.setattr(precision, "_convolution", lambda _, kind: kind)
    monkeypatch.setattr(precision, "measured_s", lambda kinds: [{BF16: bf16_s, F32: f32_s}[kind] for kind in kinds])
    assert convolution_precision() == chosen


def test_a_cpu_without_bfloat16_is_not_measured(monkeypatch):
    monkeypatch.setattr(precision.load_module("openvino"), "Core", lambda: Core("FP32"))
    assert convolution_precision() == F32


def test_the_shortest_time_of_each_is_taken(monkeypatch):
    now_s = iter([0, 5, 5, 6, 6, 8, 8, 15])  # the first takes 5 and 2 s, the second 1 and 7 s
    monkeypatch.setattr(precision, "RUNS", 2)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(now_s))
    request = type("Request", (), {"infer": lambda *_: None})()
    assert precision.measured_s([request, request]) == [2.0, 1.0]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("kind", [BF16, F32])
def test_the_decoder_takes_what_is_chosen(assets_dir, stored, monkeypatch, kind):
    monkeypatch.setattr(cpu_voice, "convolution_precision", lambda: kind)
    config = ConversionConfig(model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=4800)
    converter = StreamingConverter(config)
    converter.initialize()
    decoder = converter._stream._step._decoder
    told = str(decoder._request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT"))
    has_bf16 = "BF16" in precision.load_module("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert ("bfloat16" in told) == (kind == BF16 and has_bf16)


def test_this_cpu_can_be_measured():
    assert convolution_precision() in (BF16, F32)

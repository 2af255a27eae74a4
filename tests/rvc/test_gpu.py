"""A voice on a GPU, as far as it can be seen without one: torch computes the same on the CPU."""

import threading

import numpy as np
import pytest

from rwc_pw import doctor
from rwc_pw.errors import ConversionError
from rwc_pw.rvc import cpu_step, gpu
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.pitch import SalienceDetector
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.step import StepSettings
from rwc_pw.streaming import ConversionConfig, StreamingConverter
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.conversion.test_rvc_batch import pitch_hz, spoken
from tests.rvc.checkable import make_index, make_voice
from tests.rvc.synthesizer import FEATURES
from tests.rvc.tone import tone

pytestmark = pytest.mark.needs_rvc

CHUNK = 1920
PLAN = Plan(4)
KINDS = [("v1", 48_000, True), ("v2", 32_000, False)]


class ExactNetwork(CpuNetwork):
    """In float32 also where the CPU has bfloat16."""

    settings = {**CpuNetwork.settings, "INFERENCE_PRECISION_HINT": "f32"}  # noqa: RUF012 - as in what it replaces


@pytest.fixture
def gpu_found(monkeypatch):
    """The CPU, taken for one."""
    monkeypatch.setattr(gpu, "_found", lambda: "cpu")
    monkeypatch.setattr(gpu, "_failed", threading.Event())


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}-{kind[1]}-{'f0' if kind[2] else 'no f0'}")
def config(request, kept, assets_dir, tmp_path_factory):  # noqa: ARG001
    """One of a stored voice with an index of one cell."""
    version, rate_hz, has_pitch = request.param
    folder = tmp_path_factory.mktemp("voice")
    make_voice(folder / "Kind.pth", version=version, rate_hz=rate_hz, has_pitch=has_pitch)
    make_index(folder / "Kind.index", dimension=FEATURES[version], vectors=39)
    store = VoiceStore(folder / "models")
    stored = store.folder_of(add_voice(folder / "Kind.pth", store, index=folder / "Kind.index"))
    return ConversionConfig(
        model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK, pitch_shift=3, index_rate=0.5
    )


def said_by(stream: RvcStream) -> np.ndarray:
    import soxr  # it comes with the extra

    voiced, breath = tone(0.5), np.random.default_rng(0).normal(0, 0.02, 24_000)  # what is protected and what is not
    heard = soxr.resample(np.concatenate([breath[:9600], voiced, breath[:9600]]), 48_000, 16_000)
    size = PLAN.block_frames * CONTENT_FRAME_SAMPLES
    return np.concatenate([stream.convert(heard[at : at + size]) for at in range(0, len(heard) - size + 1, size)])


def test_it_says_what_the_cpu_says(config, monkeypatch):
    from rwc_pw.rvc.gpu_step import GpuStep

    converter = StreamingConverter(config)
    stored, compiler = converter._voice.stored, converter._loader._compiler
    sources = compiler.sources(stored.facts)
    content, voice, detector = compiler.compile(stored)
    monkeypatch.setattr(cpu_step, "CpuNetwork", ExactNetwork)
    retrieval = Retrieval(config.model_path / "model.index")
    on_cpu = cpu_step.CpuStep(
        content, voice, PLAN, lambda: detector and SalienceDetector(detector, PLAN.window_samples), retrieval
    )
    on_gpu = GpuStep(sources.contentvec, config.model_path, PLAN, sources.detector, retrieval, "cpu")
    heard = []
    for step in (on_cpu, on_gpu):
        stream = RvcStream(step, PLAN)
        stream.settings = StepSettings(1.5, 0.5, 0.33)
        first = said_by(stream)
        stream.reset(np.zeros(0, np.float32))
        np.testing.assert_array_equal(said_by(stream), first)
        heard.append(first)
    cpu, gpu_sound = heard
    network = on_gpu._network
    features = network._past_features[0].numpy()
    assert np.sqrt(np.mean((features - on_cpu._features) ** 2) / np.mean(on_cpu._features**2)) < 0.005
    np.testing.assert_allclose(network._past_pitch_hz.numpy(), on_cpu._pitch_hz, rtol=3e-4)  # half a cent
    assert (network._past_pitch_hz > 0).any() == stored.facts.has_pitch
    # the phases come apart: the compiled detector has its weights in float16
    assert np.sqrt(np.mean((gpu_sound - cpu) ** 2) / np.mean(cpu**2)) < 0.05


@pytest.mark.parametrize("detector", ["fcpe", "rmvpe"])
def test_all_of_it_can_be_told_at_once_in_half_precision(config, detector, tmp_path):
    """On a device that has no numbers whatever reads one fails, and whatever is of another kind."""
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E

    from rwc_pw.rvc.network.whole import WholeVoice

    converter = StreamingConverter(config)
    sources = converter._loader._compiler.sources(converter._voice.stored.facts)
    weights = sources.detector
    if weights and detector == "rmvpe":
        torch.save(E2E(4, 1, (2, 2)).state_dict(), weights := tmp_path / "rmvpe.pt")
    indexed = torch.from_numpy(Retrieval(config.model_path / "model.index").features)
    whole = WholeVoice(sources.contentvec, config.model_path, PLAN, weights, indexed).eval()
    whole.halve()
    whole.to("meta")
    frames = PLAN.decoded_frames
    shapes = (PLAN.window_samples,), (frames, whole.channels), (frames, whole.samples_per_frame), (3,)
    with torch.no_grad():
        said = whole(*(torch.zeros(shape, device="meta") for shape in shapes))
    assert said.shape == (frames * whole.samples_per_frame,)


def lost(*_: object) -> None:
    raise RuntimeError("CUDA error: the device is lost")


@pytest.mark.usefixtures("gpu_found")
@pytest.mark.parametrize(("fails", "context"), [("_compute", None), ("reset", np.zeros(CHUNK, np.float32))])
def test_where_it_fails_there_is_silence_and_then_the_cpu_speaks(config, fails, context, monkeypatch):
    it = StreamingConverter(config)
    it.initialize()
    heard = spoken(it, tone(1.5), CHUNK)
    assert it._loader.is_on_gpu
    monkeypatch.setattr(it._stream._step, fails, lost)
    with pytest.raises(ConversionError, match="GPU failed: CUDA error"):
        it.convert_chunk(tone(1)[:CHUNK], context)
    assert gpu.device() is None
    it.initialize()
    assert not it._loader.is_on_gpu
    again = spoken(it, tone(1.5), CHUNK)
    if it._voice.stored.facts.has_pitch:
        expected_hz = pytest.approx(170 * 2 ** (3 / 12), rel=0.01)
        assert (pitch_hz(heard), pitch_hz(again)) == (expected_hz, expected_hz)
    assert np.abs(again[-CHUNK:]).max() > 0


@pytest.mark.usefixtures("gpu_found")
@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "not finite"])
def test_where_it_cannot_compute_a_voice_the_cpu_speaks(config, is_lost, monkeypatch):
    from rwc_pw.rvc.gpu_step import GpuStep

    compute = GpuStep._compute
    monkeypatch.setattr(GpuStep, "_compute", lost if is_lost else lambda step: compute(step) * np.nan)
    it = StreamingConverter(config)
    it.initialize()
    assert gpu.has_failed()
    assert np.abs(spoken(it, tone(1), CHUNK)[-CHUNK:]).max() > 0


def test_a_machine_without_a_driver_has_none_and_needs_no_torch(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "none")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert gpu._found.__wrapped__() is None
    monkeypatch.setattr(gpu, "DRIVER", tmp_path)
    assert gpu._found.__wrapped__() is None


@pytest.mark.usefixtures("gpu_found")
def test_the_doctor_tells_where_voices_are_computed(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "missing", lambda _: [])
    monkeypatch.setattr(doctor, "prove", lambda _: [])
    [on_gpu] = doctor._check_rvc(tmp_path)
    gpu.give_up(RuntimeError("lost"))
    [on_cpu] = doctor._check_rvc(tmp_path)
    assert (on_gpu.finding, on_cpu.finding) == (
        "computed on the GPU",
        "computed on the CPU: no NVIDIA GPU can be used",
    )

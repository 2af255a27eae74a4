"""A voice on a GPU, as far as it can be seen without one: torch computes the same on the CPU."""

import dataclasses
import threading

import numpy as np
import pytest

from rwc_pw import doctor
from rwc_pw.errors import ConversionError
from rwc_pw.rvc import gpu
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.cpu_voice import CpuVoice
from rwc_pw.rvc.detectors import FCPE, RMVPE
from rwc_pw.rvc.graph_files import GraphFiles
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import StepSettings
from rwc_pw.streaming import ConversionConfig, StreamingConverter
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from rwc_pw.voices.stored_voice import StoredVoice
from tests.conversion.test_rvc_batch import pitch_hz, spoken
from tests.rvc.checkable import make_index, make_voice
from tests.rvc.synthesizer import FEATURES
from tests.rvc.tone import tone

pytestmark = pytest.mark.needs_rvc

CHUNK = 1920
PLAN = Plan(4)
KINDS = [("v1", 48_000, True), ("v2", 32_000, False)]


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


def sources_of(config: ConversionConfig) -> VoiceSources:
    return VoiceSources.find(StoredVoice.read(config.model_path), config.assets_dir, config.detector)


def test_it_says_what_the_cpu_says(config, kept, monkeypatch):
    from rwc_pw.rvc.gpu_voice import GpuVoice

    sources = sources_of(config)
    monkeypatch.setattr(CpuNetwork, "settings", {**CpuNetwork.settings, "INFERENCE_PRECISION_HINT": "f32"})
    retrieval = Retrieval(config.model_path / "model.index")
    on_cpu = CpuVoice(sources, PLAN, retrieval, GraphFiles(kept))
    on_gpu = GpuVoice(sources, PLAN, retrieval, "cpu")
    heard = []
    for step in (on_cpu, on_gpu):
        stream = RvcStream(step, PLAN)
        stream.settings = StepSettings(1.5, 0.5, 0.33)
        first = said_by(stream)
        stream.reset(np.zeros(0, np.float32))
        np.testing.assert_array_equal(said_by(stream), first)
        heard.append(first)
    cpu, gpu_sound = heard
    there, here = on_gpu._state, on_cpu._state
    assert np.sqrt(np.mean((there.features.numpy() - here.features) ** 2) / np.mean(here.features**2)) < 0.005
    np.testing.assert_allclose(there.pitch_hz.numpy(), here.pitch_hz, rtol=3e-4)  # half a cent
    assert (there.pitch_hz > 0).any() == sources.network.has_pitch
    # the phases come apart: the kept detector has its weights in float16
    assert np.sqrt(np.mean((gpu_sound - cpu) ** 2) / np.mean(cpu**2)) < 0.05


@pytest.mark.parametrize("detector", [FCPE, RMVPE], ids=lambda detector: detector.name)
def test_all_of_it_can_be_told_at_once_in_half_precision(config, detector, tmp_path):
    """On a device that has no numbers whatever reads one fails, and whatever is of another kind."""
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E

    from rwc_pw.rvc.block import compute
    from rwc_pw.rvc.gpu_voice import first_state
    from rwc_pw.rvc.torch_networks import TorchNetworks

    sources = sources_of(config)
    if sources.detector and detector is RMVPE:
        torch.save(E2E(4, 1, (2, 2)).state_dict(), tmp_path / "rmvpe.pt")
        sources = dataclasses.replace(sources, detector=RMVPE, detector_weights=tmp_path / "rmvpe.pt")
    networks = TorchNetworks(sources, PLAN, Retrieval(config.model_path / "model.index"), "meta", torch.float16)
    frames = PLAN.decoded_frames
    shapes = (PLAN.window_samples,), (frames, networks.channels), (frames, networks.samples_per_frame), (3,)
    window, frame_noise, source_noise, settings = (torch.zeros(shape, device="meta") for shape in shapes)
    with torch.no_grad():
        said, _ = compute(
            networks, PLAN, first_state(sources, PLAN, "meta"), window, (frame_noise, source_noise), settings
        )
    assert said.shape == (frames * networks.samples_per_frame,)


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
    from rwc_pw.rvc.gpu_voice import GpuVoice

    compute = GpuVoice._compute
    monkeypatch.setattr(GpuVoice, "_compute", lost if is_lost else lambda step: compute(step) * np.nan)
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

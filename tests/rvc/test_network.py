"""Our network against ultimate-rvc's own modules, on the same weights, source and noise."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.detectors import FCPE, RMVPE
from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.rvc.weights import read_weights
from rwc_pw.system.extra import load_module
from tests.rvc.synthesizer import FEATURES, UPSAMPLING, architecture

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.needs_rvc,
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),  # by ultimate-rvc, while it is imported
]

TOLERANCE = 1e-4
FRAMES = 96
THIN = {"inter": 32, "hidden": 48, "filter": 96, "layers": 3, "upsample": 64}  # as deep as real ones, and quick
KINDS = [*((version, rate_hz, True) for version, rate_hz in UPSAMPLING), ("v2", 40_000, False)]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}-{kind[1]}-{'f0' if kind[2] else 'no f0'}")
def reference(request):
    """ultimate-rvc's synthesiser with random weights, a random source, and what it says offline."""
    import torch  # before ultimate-rvc, whose lazy modules break its import
    from ultimate_rvc.rvc.lib.algorithm.synthesizers import Synthesizer

    version, rate_hz, has_pitch = request.param
    network = replace(architecture(version, rate_hz, has_pitch, speakers=2, is_small=False), **THIN)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        theirs = Synthesizer(*network.config, use_f0=has_pitch, text_enc_hidden_dim=FEATURES[version]).eval()
        for name, weight in theirs.named_parameters():
            if name.endswith("post.weight"):
                weight.normal_(0, 0.05)  # a fresh flow has zeros here and changes nothing
            elif "norm_layers" in name:
                weight.normal_(1, 0.3)
        frames = torch.randn(1, network.inter, FRAMES)
        source = 0.1 * torch.randn(1, 1, FRAMES * rate_hz // 100) if has_pitch else None
        speaker = theirs.emb_g(torch.tensor([0])).unsqueeze(-1)
        flowed = theirs.flow(frames, torch.ones(1, 1, FRAMES), g=speaker, reverse=True)
        if has_pitch:
            theirs.dec.m_source.forward = lambda *_: (source.transpose(1, 2), None, None)
        sound = theirs.dec(flowed, *([torch.zeros(1, FRAMES)] if has_pitch else []), g=speaker)
    weights = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): weight.numpy()
        for name, weight in theirs.state_dict().items()
    }
    return SimpleNamespace(theirs=theirs, network=network, weights=weights, frames=frames, source=source, sound=sound)


def streamed(reference, block: int, look_ahead: int) -> np.ndarray:
    """The sound of the frames, so many final ones at a time, each looking so many frames ahead."""
    import torch

    from rwc_pw.rvc.network.carry import Carry
    from rwc_pw.rvc.network.decoder import Decoder
    from rwc_pw.rvc.network.torch_operations import TorchOperations

    ops = TorchOperations("cpu", torch.float32)
    decoder = Decoder(ops, reference.weights, reference.network)
    before, sound = None, []
    with torch.no_grad():
        for start in range(0, FRAMES, block):
            final, end = min(block, FRAMES - start), min(start + block + look_ahead, FRAMES)
            samples = slice(start * decoder.samples_per_frame, end * decoder.samples_per_frame)
            source = None if reference.source is None else reference.source[..., samples]
            carry = Carry(ops, end - start - final, before)
            said = decoder(reference.frames[..., start:end], source, carry)
            sound.append(said[0, 0, : final * decoder.samples_per_frame])
            before = carry.after
    return torch.cat(sound).numpy()


@pytest.fixture
def exact(tmp_path, monkeypatch):
    """Runs a graph of OpenVINO's, in float32 also where the CPU has bfloat16, and with the weights it is given."""
    settings = {**CpuNetwork.settings, "INFERENCE_PRECISION_HINT": "f32"}
    monkeypatch.setattr(CpuNetwork, "settings", settings)

    def run(build) -> CpuNetwork:
        model = build(OpenvinoOperations())
        load_module("openvino").save_model(model, tmp_path / "graph.xml", compress_to_fp16=False)
        return CpuNetwork(tmp_path / "graph.xml", [list(port.shape) for port in model.inputs])

    return run


@pytest.mark.parametrize("block", [1, 8, 20, FRAMES])
def test_block_by_block_it_says_what_the_offline_network_says(reference, block):
    assert reference.sound.abs().max() > 0.01
    heard = streamed(reference, block, look_ahead=37)
    np.testing.assert_allclose(heard, reference.sound[0, 0].numpy(), atol=TOLERANCE)


def test_the_less_it_looks_ahead_the_more_it_errs(reference):
    offline = reference.sound[0, 0].numpy()
    errors = [np.sqrt(np.mean((streamed(reference, 8, ahead) - offline) ** 2)) for ahead in (0, 2, 6)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] > 0


def test_openvino_says_block_by_block_what_the_offline_network_says(reference, exact):
    from rwc_pw.rvc.network.carry import Carry
    from rwc_pw.rvc.network.decoder import Decoder

    block, ahead, per_frame = 8, 40, reference.network.sample_rate_hz // 100

    def build(ops):
        decoder, carry = Decoder(ops, reference.weights, reference.network), Carry(ops, ahead)
        frames = ops.input([1, reference.network.inter, block + ahead])
        source = ops.input([1, 1, (block + ahead) * per_frame]) if reference.network.has_pitch else None
        sound = decoder(frames, source, carry)
        return ops.model([frames] if source is None else [frames, source], [sound], carry.after)

    network = exact(build)
    for _ in range(2):  # the second time after a reset
        sound = []
        for start in range(0, FRAMES - block - ahead + 1, block):
            given = [reference.frames[..., start : start + block + ahead].numpy()]
            if reference.source is not None:
                samples = slice(start * per_frame, (start + block + ahead) * per_frame)
                given.append(reference.source[..., samples].numpy())
            sound.append(network(*given)[0][0, 0, : block * per_frame])
        heard = np.concatenate(sound)
        np.testing.assert_allclose(heard, reference.sound[0, 0].numpy()[: len(heard)], atol=TOLERANCE)
        network.reset()


@pytest.mark.parametrize("by", ["torch", "openvino"])
def test_the_text_encoder_says_what_theirs_says(reference, by, exact):
    import torch

    from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
    from rwc_pw.rvc.network.torch_operations import TorchOperations

    random = torch.Generator().manual_seed(1)
    features = torch.randn(1, 60, FEATURES[reference.network.version], generator=random)
    pitch = torch.randint(1, 256, (60,), generator=random) if reference.network.has_pitch else None
    with torch.no_grad():
        theirs = reference.theirs.enc_p(features, pitch if pitch is None else pitch[None], torch.tensor([60]))[:2]
    given = [features] if pitch is None else [features, pitch]
    indices = relative_positions(60, reference.network.heads)

    def build(ops):
        positions = [ops.input(index.shape, np.int64) for index in indices]
        inputs = [ops.input([1, 60, features.shape[2]]), *positions, ops.input([60], np.int64)][: 2 + len(given)]
        return ops.model(inputs, TextEncoder(ops, reference.weights, reference.network)(*inputs), [])

    if by == "torch":
        ops = TorchOperations("cpu", torch.float32)
        encoder = TextEncoder(ops, reference.weights, reference.network)
        ours = [told.numpy() for told in encoder(given[0], *map(torch.from_numpy, indices), *given[1:])]
    else:
        ours = exact(build)(given[0].numpy(), *indices, *(value.numpy() for value in given[1:]))
    for mine, expected in zip(ours, theirs, strict=True):
        assert expected.std() > 0.1
        np.testing.assert_allclose(mine, expected.numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("by", ["torch", "openvino"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_content_says_what_transformers_hubert_says(tmp_path, by, version, exact):
    import torch
    from transformers import HubertConfig, HubertModel

    from rwc_pw.rvc.network.content import Content
    from rwc_pw.rvc.network.torch_operations import TorchOperations
    from tests.rvc.checkable import make_contentvec

    make_contentvec(tmp_path, is_small=False, layers=2)
    theirs = HubertModel(HubertConfig.from_pretrained(tmp_path)).eval()
    stored = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    theirs.load_state_dict({name: weight for name, weight in stored.items() if "final_proj" not in name})
    sound = np.random.default_rng(0).normal(0, 0.1, (1, 6400)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(sound)).last_hidden_state
        if version == "v1":
            expected = torch.nn.functional.linear(expected, stored["final_proj.weight"], stored["final_proj.bias"])

    def build(ops):
        heard = ops.input([1, 6400])
        return ops.model([heard], [Content(ops, tmp_path, version)(heard)], [])

    if by == "torch":
        with torch.no_grad():
            ours = Content(TorchOperations("cpu", torch.float32), tmp_path, version)(torch.from_numpy(sound)).numpy()
    else:
        ours = exact(build)(sound)[0]
    np.testing.assert_allclose(ours, expected.numpy(), atol=10 * TOLERANCE)


@pytest.mark.parametrize("detector", [FCPE, RMVPE], ids=lambda detector: detector.name)
def test_torch_rates_pitches_as_openvino_does(tmp_path, detector, exact, assets_dir):
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E

    from rwc_pw.rvc.network.torch_operations import TorchOperations

    if detector is RMVPE:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(E2E(4, 1, (2, 2)).state_dict(), tmp_path / "rmvpe.pt")
        stored = read_weights(tmp_path / "rmvpe.pt")
    else:
        stored = read_weights(FCPE.weights(assets_dir))
    network = detector.network()
    magnitudes = np.random.default_rng(0).exponential(1.0, (1, 64, 513)).astype(np.float32)

    def build(ops):
        given = ops.input(magnitudes.shape)
        return ops.model([given], [network(ops, stored)(given)], [])

    with torch.no_grad():
        by_torch = network(TorchOperations("cpu", torch.float32), stored)(torch.from_numpy(magnitudes)).numpy()
    assert by_torch.std() > 1e-3
    np.testing.assert_allclose(by_torch, exact(build)(magnitudes)[0], atol=TOLERANCE)

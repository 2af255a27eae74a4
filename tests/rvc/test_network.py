"""Our network against ultimate-rvc's own modules, on the same weights, source and noise."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

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
        ): weight
        for name, weight in theirs.state_dict().items()
    }
    return SimpleNamespace(theirs=theirs, network=network, weights=weights, frames=frames, source=source, sound=sound)


def streamed(reference, block: int, look_ahead: int) -> np.ndarray:
    """The sound of the frames, so many final ones at a time, each looking so many frames ahead."""
    import torch

    from rwc_pw.rvc.network.carry import Carry
    from rwc_pw.rvc.network.decoder import Decoder

    decoder = Decoder(reference.weights, reference.network)
    before, sound = None, []
    with torch.no_grad():
        for start in range(0, FRAMES, block):
            final, end = min(block, FRAMES - start), min(start + block + look_ahead, FRAMES)
            samples = slice(start * decoder.samples_per_frame, end * decoder.samples_per_frame)
            source = None if reference.source is None else reference.source[..., samples]
            carry = Carry(end - start - final, before)
            said = decoder(reference.frames[..., start:end], source, carry)
            sound.append(said[0, 0, : final * decoder.samples_per_frame])
            before = carry.after
    return torch.cat(sound).numpy()


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


def test_the_text_encoder_says_what_theirs_says(reference):
    import torch

    from rwc_pw.rvc.network.text_encoder import TextEncoder

    random = torch.Generator().manual_seed(1)
    features = torch.randn(1, 60, FEATURES[reference.network.version], generator=random)
    pitch = torch.randint(1, 256, (1, 60), generator=random) if reference.network.has_pitch else None
    with torch.no_grad():
        ours = TextEncoder(reference.weights, reference.network)(features, pitch)
        theirs = reference.theirs.enc_p(features, pitch, torch.tensor([60]))[:2]
    for mine, expected in zip(ours, theirs, strict=True):
        assert expected.std() > 0.1
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), atol=TOLERANCE)

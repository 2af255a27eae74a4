"""Our network against ultimate-rvc's own modules, on the same weights, source and noise."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.rvc.synthesizer import FEATURES, UPSAMPLING, architecture

pytestmark = [
    pytest.mark.needs_rvc,
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),  # by ultimate-rvc, while it is imported
]

TOLERANCE = 1e-4
FRAMES = 128
WARM_UP = 72  # until nothing is left of the silence before, of which the offline network knows nothing
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


def streamed(reference, cuts: Sequence[int]) -> tuple[np.ndarray, int]:
    """The sound of the frames, a block at a time, and how far it lies behind."""
    import torch

    from rwc_pw.rvc.network.decoder import Decoder
    from rwc_pw.rvc.network.streams import Carry

    decoder = Decoder(reference.weights, reference.network)
    carry, sound = Carry(), []
    with torch.no_grad():
        for start, end in zip([0, *cuts], [*cuts, FRAMES], strict=True):
            samples = slice(start * decoder.samples_per_frame, end * decoder.samples_per_frame)
            source = None if reference.source is None else reference.source[..., samples]
            sound.append(decoder(reference.frames[..., start:end], source, carry)[0, 0])
            carry = Carry(carry.after)
    return torch.cat(sound).numpy(), decoder.ahead


def test_block_by_block_it_says_what_the_offline_network_says(reference):
    heard, behind = streamed(reference, range(8, FRAMES, 8))
    offline = reference.sound[0, 0].numpy()[WARM_UP * len(heard) // FRAMES : len(heard) - behind]
    assert np.abs(offline).max() > 0.01
    np.testing.assert_allclose(heard[-len(offline) :], offline, atol=TOLERANCE)


def test_the_cuts_make_no_difference(reference):
    whole, _ = streamed(reference, [])
    for cuts in ([1, 2, 40], range(13, FRAMES, 13)):
        np.testing.assert_allclose(streamed(reference, cuts)[0], whole, atol=1e-6)


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

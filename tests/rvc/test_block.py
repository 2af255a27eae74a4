"""What lies between the networks, with networks that let it be seen."""

import numpy as np
import pytest

from rwc_pw.rvc.block import NO_PROTECTION, SINE_AMPLITUDE, UNVOICED_NOISE, BlockState, coarse, compute
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan

PLAN = Plan(block_frames=4, look_ahead_frames=1, past_frames=6)
PER_FRAME = 480
WIDTH = 3
FIRST = BlockState(np.zeros((6, WIDTH), np.float32), np.zeros(6, np.float32), np.float64(0), np.True_)
NO_NOISE = np.zeros((5, 2), np.float32), np.zeros((5, PER_FRAME), np.float32)


class Seen:
    """Networks that keep what they are given; a feature is the number of its frame in the window, times two."""

    functions = np
    samples_per_frame = PER_FRAME
    source = (1.0, 0.0)

    def __init__(self, pitch_hz=None, found=None) -> None:
        self.pitch = None if pitch_hz is None else lambda _: np.asarray(pitch_hz, np.float32)
        self.retrieval = None if found is None else lambda content, _: np.full_like(content, found)

    def content(self, window):
        features = np.arange(len(window) // (2 * CONTENT_FRAME_SAMPLES), dtype=np.float32)
        return np.repeat(features[:, None], WIDTH, axis=1)

    def text(self, features, bins):
        self.features, self.bins = features, bins
        mean = np.stack([np.arange(len(features)), np.zeros(len(features))]).astype(np.float32)
        return mean, np.zeros_like(mean)

    def decoded(self, frames, source):
        self.frames, self.given_source = frames, source
        return np.zeros(frames.shape[1] * PER_FRAME, np.float32)


def spoken(networks: Seen, state: BlockState = FIRST, noise=NO_NOISE, settings=(1.0, 0.0, NO_PROTECTION)) -> BlockState:
    window = np.zeros(PLAN.window_samples, np.float32)
    return compute(networks, PLAN, state, window, noise, np.array(settings, np.float32))[1]


def test_a_feature_is_given_to_two_frames_and_the_first_stands_for_the_past():
    networks = Seen()
    state = spoken(networks)
    new = networks.features[PLAN.past_frames :, 0]
    assert new.tolist() == [1.0, 2.0, 2.0, 3.0, 3.0]  # the last five frames that have features
    assert set(networks.features[: PLAN.past_frames, 0]) == {1.0}
    spoken(networks, state)
    assert networks.features[:, 0].tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 3.0, *new][-11:]


def test_only_new_frames_are_decoded_with_their_noise():
    networks = Seen()
    spoken(networks, noise=(np.ones((5, 2), np.float32), NO_NOISE[1]))
    np.testing.assert_allclose(networks.frames[0], np.arange(6, 11) + 0.66666, atol=1e-6)
    assert networks.given_source is None
    assert networks.bins is None


def test_the_sine_goes_on_where_the_block_before_ended():
    networks, state, sources = Seen(pitch_hz=[170.0] * 10), FIRST, []
    for _ in range(3):
        state = spoken(networks, state)
        sources.append(np.arctanh(networks.given_source[: PLAN.block_frames * PER_FRAME].astype(np.float64)))
    at = np.arange(1, 3 * PLAN.block_frames * PER_FRAME + 1)
    expected = SINE_AMPLITUDE * np.sin(2 * np.pi * 170 * at / (100 * PER_FRAME))
    np.testing.assert_allclose(np.concatenate(sources), expected, atol=1e-6)


def test_what_is_unvoiced_is_noise_alone():
    networks = Seen(pitch_hz=[0.0] * 10)
    spoken(networks, noise=(NO_NOISE[0], np.ones((5, PER_FRAME), np.float32)))
    np.testing.assert_allclose(networks.given_source, np.tanh(UNVOICED_NOISE), atol=1e-6)
    assert set(networks.bins) == {1}


@pytest.mark.parametrize(("protect", "unvoiced"), [(0.25, 0.25), (0.0, 0.0), (NO_PROTECTION, 1.0)])
def test_the_indexs_share_of_unvoiced_frames_is_limited(protect, unvoiced):
    pitch_hz = [0.0] * 5 + [200.0, 0.0, 200.0, 0.0, 0.0]  # the decoded ones are those from 3 to 8
    networks = Seen(pitch_hz, found=100.0)
    spoken(networks, settings=(1.0, 1.0, protect))
    features, voiced = networks.features[PLAN.past_frames :, 0], np.array(pitch_hz)[PLAN.new_frames] > 0
    own = np.array([1.0, 2.0, 2.0, 3.0, 3.0])
    assert voiced.any()
    np.testing.assert_allclose(features, np.where(voiced, 100.0, 100 * unvoiced + own * (1 - unvoiced)))


def test_a_voice_without_pitch_is_not_protected():
    networks = Seen(found=100.0)
    spoken(networks, settings=(1.0, 1.0, 0.0))
    assert set(networks.features[PLAN.past_frames :, 0]) == {100.0}


def test_the_pitch_is_shifted_and_coded_on_the_mel_scale():
    networks = Seen(pitch_hz=[275.0] * 10)
    spoken(networks, settings=(2.0, 0.0, NO_PROTECTION))
    assert networks.bins[PLAN.past_frames :].tolist() == coarse(np, np.full(5, 550.0)).tolist()
    assert coarse(np, np.array([0.0, 50.0, 1100.0, 4000.0])).tolist() == [1, 1, 255, 255]

"""One block of a voice: what lies between its networks, in numpy's functions or torch's.

The recipe is RVC's: ContentVec's features, moved towards the index; the pitch; the text encoder's frames, with noise;
flow and generator, driven by a source of sine and noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rwc_pw.rvc.plan import Plan

NOISE_SCALE = 0.66666
SINE_AMPLITUDE = 0.1
VOICED_NOISE = 0.003
UNVOICED_NOISE = SINE_AMPLITUDE / 3
LEAST_MEL, MOST_MEL = (1127 * float(np.log1p(hz / 700)) for hz in (50.0, 1100.0))
PITCH_BINS = 255  # on the mel scale; the first means unvoiced
NO_PROTECTION = 0.5

Array = Any
"""An array of numpy, or a tensor of torch."""


class Networks(Protocol):
    """A voice's networks; n frames are 10 ms each."""

    functions: Any
    """The module of the functions on their arrays: numpy or torch."""
    samples_per_frame: int
    source: tuple[float, float]
    """Weight and bias of the source's linear layer."""
    pitch: Callable[[Array], Array] | None
    """The window at 16 kHz, (window_samples,), to Hz, (n,), 0 where unvoiced; None if the voice has no pitch."""
    retrieval: Callable[[Array, Any], Array] | None
    """Features (m, width) and the rate to features moved towards the index; None if the voice has none."""

    def content(self, window: Array) -> Array:
        """Extract features (m, width), every 20 ms, from the window at 16 kHz."""

    def text(self, features: Array, bins: Array | None) -> tuple[Array, Array]:
        """Encode (n, width) and (n,) as mean and log deviation, (inter, n)."""

    def decoded(self, frames: Array, source: Array | None) -> Array:
        """Decode (inter, n) and (n · samples_per_frame,) to sound of that length; go on where the last block ended."""


@dataclass(frozen=True)
class BlockState:
    """The state that the next block needs, apart from the decoder's own."""

    features: Array
    """Features of the past frames, (past_frames, width)."""
    pitch_hz: Array
    phase: Array
    """Phase of the source's sine, in turns, float64."""
    begins: Array
    """True if there was no block yet."""


def compute(
    networks: Networks, plan: Plan, state: BlockState, window: Array, noise: tuple[Array, Array], settings: Array
) -> tuple[Array, BlockState]:
    """Convert (window_samples,) at 16 kHz to the decoded frames' sound, float32, and the state for the next block.

    ``noise`` is normal, (decoded_frames, inter) and (decoded_frames, samples_per_frame); ``settings`` are the ratio of
    the pitch, the index's rate, and the protection.
    """
    xp = networks.functions
    pitch_ratio, index_rate, protect = settings
    new_hz = xp.zeros_like(state.pitch_hz[:1])
    if networks.pitch:
        new_hz = networks.pitch(window)[plan.new_frames] * pitch_ratio
    features = _features(networks, plan, window, new_hz, index_rate, protect)
    past = xp.where(state.begins, features[:1], state.features)
    features = xp.concatenate([past, features], 0)
    pitch_hz, bins, source, phase = state.pitch_hz, None, None, state.phase
    if networks.pitch:
        pitch_hz = xp.concatenate([state.pitch_hz, new_hz], 0)
        bins = coarse(xp, pitch_hz)
        source, phase = _source(networks, plan, state.phase, new_hz, noise[1])
    mean, log_deviation = networks.text(features, bins)
    decoded = slice(plan.past_frames, None)
    frames = mean[:, decoded] + xp.exp(log_deviation[:, decoded]) * NOISE_SCALE * noise[0].T
    sound = networks.decoded(frames, source)
    kept = slice(plan.block_frames, plan.block_frames + plan.past_frames)
    if networks.pitch:
        pitch_hz = pitch_hz[kept]
    return sound, BlockState(features[kept], pitch_hz, phase, xp.zeros_like(state.begins))


def coarse(functions: Any, pitch_hz: Array) -> Array:
    """The pitch in RVC's 255 mel bins, the first for unvoiced: RVC-Project's ``get_f0``, in mel throughout."""
    xp = functions
    mel = 1127 * xp.log1p(pitch_hz / 700)
    scaled = (mel - LEAST_MEL) * (PITCH_BINS - 1) / (MOST_MEL - LEAST_MEL) + 1
    return xp.asarray(xp.round(xp.clip(scaled, 1, PITCH_BINS)), dtype=xp.int64)


def _features(networks: Networks, plan: Plan, window: Array, pitch_hz: Array, index_rate: Any, protect: Any) -> Array:
    """The features of the decoded frames, (decoded_frames, width)."""
    xp = networks.functions
    content = networks.content(window)[plan.new_content]
    features = _in_frames(xp, plan, content)
    if not networks.retrieval:
        return features
    found = _in_frames(xp, plan, networks.retrieval(content, index_rate))
    if not networks.pitch:
        return found
    share = xp.where((pitch_hz > 0) | (protect >= NO_PROTECTION), xp.ones_like(pitch_hz), protect)[:, None]
    return found * share + features * (1 - share)


def _in_frames(functions: Any, plan: Plan, content: Array) -> Array:
    return functions.stack([content, content], 1).reshape(-1, content.shape[1])[-plan.decoded_frames :]


def _source(networks: Networks, plan: Plan, phase: Array, pitch_hz: Array, normal: Array) -> tuple[Array, Array]:
    """Sine and noise of the decoded frames, and the phase at the block's end, with which the next one goes on."""
    xp, per_frame = networks.functions, networks.samples_per_frame
    turns = xp.asarray(pitch_hz, dtype=xp.float64) / (100 * per_frame)
    turns = xp.broadcast_to(turns[:, None], (turns.shape[0], per_frame)).reshape(-1)
    phases = phase + xp.cumsum(turns, 0)
    voiced = turns > 0
    sine = xp.where(voiced, SINE_AMPLITUDE * xp.sin(2 * math.pi * phases), 0.0)
    noise = xp.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * normal.reshape(-1)
    weight, bias = networks.source
    source = xp.asarray(xp.tanh((sine + noise) * weight + bias), dtype=xp.float32)
    return source, phases[plan.block_frames * per_frame - 1] % 1.0

"""RVC-Project's real-time algorithm, from its description, on our own networks: what we are compared with.

Facts from RVC-Project's ``realtime_gui.py``, ``infer/rtrvc.py`` and ``infer/module/models.py`` (July 2026). Left out,
to its advantage: the gate, the volume's envelope, and resampling. No retrieval, as without an index.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rwc_pw.rvc.block import NOISE_SCALE, SINE_AMPLITUDE, UNVOICED_NOISE, VOICED_NOISE, coarse
from rwc_pw.rvc.network.carry import Carry, without_weight_norm
from rwc_pw.rvc.network.flow import Flow
from rwc_pw.rvc.network.generator import Generator
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.rvc.network.text_encoder import relative_positions
from rwc_pw.rvc.pitch import detect_by_swift_f0
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import Array

CROSSFADE_FRAMES = 5  # what is set and heard
FADE_FRAMES = 4  # what is faded: never more, whatever is set
SEARCH_FRAMES = 1
FLOW_PAST_FRAMES = 24
PITCH_PAST_FRAMES = 5
PITCH_FIRST_FRAMES = 3  # of those that the pitch detector hears, too near to the edge to be kept
LEAST_POWER = 1e-8

Network = Callable[..., list[Any]]
"""Takes arrays, gives arrays."""


@dataclass(frozen=True)
class Window:
    """What is heard for each block, and which stretches of it each part of the network works on, in frames of 10 ms."""

    block_frames: int
    extra_frames: int

    @property
    def heard_frames(self) -> int:
        return self.extra_frames + CROSSFADE_FRAMES + SEARCH_FRAMES + self.block_frames

    @property
    def heard_samples(self) -> int:
        return self.heard_frames * CONTENT_FRAME_SAMPLES

    @property
    def flowed_frames(self) -> int:
        return self.heard_frames - self.extra_frames + FLOW_PAST_FRAMES

    @property
    def spoken_frames(self) -> int:
        return self.block_frames + FADE_FRAMES + SEARCH_FRAMES

    @property
    def spoken(self) -> slice:
        """Of the frames heard."""
        return slice(self.extra_frames, self.extra_frames + self.spoken_frames)


class OfflineDecoder:
    """Frames (1, inter, n) and the source of the spoken ones to their sound; the first frames only the flow sees.

    It keeps no state: what it remembers has to be reset before each block.
    """

    def __init__(self, operations: Operations, sources: VoiceSources, window: Window) -> None:
        network, plain = sources.network, without_weight_norm(sources.weights())
        speaker = plain["emb_g.weight"][0]
        self._operations = operations
        self._flow = Flow(operations, plain, speaker)
        self._generator = Generator(operations, plain, network, speaker)
        self._spoken_end = FLOW_PAST_FRAMES + window.spoken_frames

    def __call__(self, frames: Value, source: Value, carry: Carry) -> Value:
        spoken = self._operations.part(self._flow(frames, carry), 2, FLOW_PAST_FRAMES, self._spoken_end)
        return self._generator(spoken, source, carry)


def offline_shapes(sources: VoiceSources, window: Window) -> list[tuple[int, ...]]:
    """The shapes of an ``OfflineDecoder``'s frames and source."""
    network = sources.network
    samples = window.spoken_frames * network.sample_rate_hz // 100
    return [(1, network.inter, window.flowed_frames), (1, 1, samples)]


class SolaStream:
    """Converts blocks of ``window.block_frames``, each from all that is heard with it; SOLA joins them."""

    def __init__(
        self, sources: VoiceSources, window: Window, content: Network, text: Network, decoder: Network
    ) -> None:
        self._samples_per_frame = sources.network.sample_rate_hz // 100
        self._linear = sources.source
        self._window = window
        self._content, self._text, self._decoder = content, text, decoder
        self._positions = relative_positions(window.heard_frames, sources.network.heads)
        self._random = np.random.default_rng(0)
        self._heard = np.zeros(window.heard_samples, np.float32)
        self._pitch_hz = np.zeros(window.heard_frames, np.float32)
        fade_samples = FADE_FRAMES * self._samples_per_frame
        self._foreseen = np.zeros(fade_samples, np.float32)
        self._rising = np.sin(0.5 * np.pi * np.linspace(0, 1, fade_samples, dtype=np.float32)) ** 2

    def convert(self, sound: Array) -> Array:
        """(block_frames · 160,) at 16 kHz to (block_frames · samples_per_frame,)."""
        self._heard = np.concatenate([self._heard[len(sound) :], sound])
        self._pitch_hz = self._followed_pitch_hz()
        [content] = self._content(self._heard[None])
        features = np.repeat(np.concatenate([content[0], content[0, -1:]]), 2, axis=0)[: self._window.heard_frames]
        mean, log_deviation = self._text(features[None], *self._positions, coarse(np, self._pitch_hz))
        flowed = slice(-self._window.flowed_frames, None)
        noise = self._random.standard_normal(mean[..., flowed].shape, np.float32)
        frames = mean[..., flowed] + np.exp(log_deviation[..., flowed]) * NOISE_SCALE * noise
        [said] = self._decoder(frames.astype(np.float32), self._source()[None, None])
        return self._joined(said[0, 0])

    def _followed_pitch_hz(self) -> Array:
        """Of each frame heard, 0 where nothing is voiced: found anew for the last ones, as it was for the others."""
        window, block_frames = self._window, self._window.block_frames
        detected_frames = PITCH_PAST_FRAMES + block_frames
        found_hz = detect_by_swift_f0(self._heard[-detected_frames * CONTENT_FRAME_SAMPLES :])
        new_hz = found_hz[PITCH_FIRST_FRAMES:]
        old_hz = self._pitch_hz[block_frames:][: window.heard_frames - len(new_hz)]
        return np.concatenate([old_hz, new_hz])

    def _source(self) -> Array:
        """Sine and noise of the spoken frames; the sine begins anew in each block."""
        pitch_hz = np.repeat(self._pitch_hz[self._window.spoken], self._samples_per_frame)
        voiced = pitch_hz > 0
        phase = np.cumsum(pitch_hz.astype(np.float64) / (100 * self._samples_per_frame))
        sine = np.where(voiced, SINE_AMPLITUDE * np.sin(2 * np.pi * phase), 0)
        noise = np.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * self._random.standard_normal(len(phase), np.float32)
        weight, bias = self._linear
        source: Array = np.tanh((sine + noise) * weight + bias).astype(np.float32)
        return source

    def _joined(self, said: Array) -> Array:
        """The block, from where it continues the last one best, and faded from it."""
        fade_samples, block_samples = len(self._foreseen), self._window.block_frames * self._samples_per_frame
        searched = said[: fade_samples + SEARCH_FRAMES * self._samples_per_frame]
        likeness = np.correlate(searched, self._foreseen)
        sums = np.concatenate([[0.0], np.cumsum(searched.astype(np.float64) ** 2)])
        power = sums[fade_samples:] - sums[:-fade_samples] + LEAST_POWER
        continued = said[int(np.argmax(likeness / np.sqrt(power))) :].copy()
        continued[:fade_samples] = continued[:fade_samples] * self._rising + self._foreseen * (1 - self._rising)
        self._foreseen = continued[block_samples:][:fade_samples]
        return continued[:block_samples]

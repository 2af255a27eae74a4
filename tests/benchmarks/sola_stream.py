"""RVC-Project's real-time algorithm, from its description, on our own networks: what we are compared with.

Facts from RVC-Project's ``realtime_gui.py``, ``infer/rtrvc.py`` and ``infer/module/models.py`` (July 2026). Left out,
to its advantage: the gate, the volume's envelope, and resampling. No retrieval, as without an index.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rwc_pw.rvc.cpu_step import coarse
from rwc_pw.rvc.network.stored import read_voice
from torch import Tensor, nn

from rwc_pw.rvc.network.carry import Carry, without_weight_norm
from rwc_pw.rvc.network.flow import Flow
from rwc_pw.rvc.network.generator import Generator
from rwc_pw.rvc.pitch import detect_pitch
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, CONTENT_RATE_HZ
from rwc_pw.rvc.step import NOISE_SCALE, SINE_AMPLITUDE, UNVOICED_NOISE, VOICED_NOISE, Array
from rwc_pw.system.extra import load_module

CROSSFADE_FRAMES = 5  # what is set and heard
FADE_FRAMES = 4  # what is faded: never more, whatever is set
SEARCH_FRAMES = 1
FLOW_PAST_FRAMES = 24
PITCH_PAST_FRAMES = 5
PITCH_FIRST_FRAMES = 3  # of those that the pitch detector hears, too near to the edge to be kept
LEAST_POWER = 1e-8

OpenNetwork = Callable[[Path, Sequence[int]], Callable[..., list[Any]]]
"""A network's file and the lengths of its first inputs to the network: of its inputs, its outputs."""


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


class OfflineDecoder(nn.Module):
    """Frames (1, inter, n) and the source of the spoken ones to their sound; the first frames only the flow sees."""

    def __init__(self, voice: Path, window: Window) -> None:
        """``voice`` is a stored voice's folder."""
        super().__init__()
        network, weights = read_voice(voice)
        plain = without_weight_norm(weights)
        speaker = plain["emb_g.weight"][:1, :, None]
        self._flow = Flow(plain, speaker)
        self._generator = Generator(plain, network, speaker)
        self._spoken = slice(FLOW_PAST_FRAMES, FLOW_PAST_FRAMES + window.spoken_frames)
        self.frames = torch.zeros(1, network.inter, window.flowed_frames)
        self.source = torch.zeros(1, 1, window.spoken_frames * network.sample_rate_hz // 100)

    def forward(self, frames: Tensor, source: Tensor) -> Tensor:
        return self._generator(self._flow(frames, Carry(0))[..., self._spoken], source, Carry(0))


def export_offline(decoder: OfflineDecoder, path: Path) -> None:
    """Write it to ``path`` in OpenVINO's form."""
    example = (decoder.frames, decoder.source)
    openvino = load_module("openvino")
    with torch.no_grad():
        model = openvino.convert_model(decoder, example_input=example, input=[list(value.shape) for value in example])
    openvino.save_model(model, path, compress_to_fp16=True)


class SolaStream:
    """Converts blocks of ``window.block_frames``, each from all that is heard with it; SOLA joins them."""

    def __init__(self, folder: Path, window: Window, open_network: OpenNetwork) -> None:
        """``folder`` holds what ``rwc_pw.rvc.network.export`` wrote, and ``offline.xml``."""
        facts = json.loads((folder / "facts.json").read_text())
        self._samples_per_frame: int = facts["samples_per_frame"]
        self._linear: list[float] = facts["source"]
        self._window = window
        self._content = open_network(folder / "content.xml", [window.heard_samples])
        self._text = open_network(folder / "text.xml", [window.heard_frames] * 2)
        self._decoder = open_network(folder / "offline.xml", [])
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
        mean, log_deviation = self._text(features[None], coarse(self._pitch_hz)[None])
        flowed = slice(-self._window.flowed_frames, None)
        noise = self._random.standard_normal(mean[..., flowed].shape, np.float32)
        frames = mean[..., flowed] + np.exp(log_deviation[..., flowed]) * NOISE_SCALE * noise
        [said] = self._decoder(frames.astype(np.float32), self._source()[None, None])
        return self._joined(said[0, 0])

    def _followed_pitch_hz(self) -> Array:
        """Of each frame heard, 0 where nothing is voiced: found anew for the last ones, as it was for the others."""
        window, block_frames = self._window, self._window.block_frames
        detected_frames = PITCH_PAST_FRAMES + block_frames
        times_s, found_hz = detect_pitch(self._heard[-detected_frames * CONTENT_FRAME_SAMPLES :])
        at_s = np.arange(PITCH_FIRST_FRAMES, detected_frames) * (CONTENT_FRAME_SAMPLES / CONTENT_RATE_HZ)
        new_hz = found_hz[np.abs(at_s[:, None] - times_s[None]).argmin(axis=1)].astype(np.float32)
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

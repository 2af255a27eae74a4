"""A voice, live: sound at 16 kHz in, block by block, the same length of sound out at the voice's rate.

The network's parts are compiled (``rwc_pw/rvc/network/export.py``); what is between them is here: pitch, retrieval, the
source and the noise. What belongs to a frame of 10 ms is drawn from the frame's own number, so that it is the same
however the sound is cut.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.pitch import Array, Pitch
from rwc_pw.rvc.plan import CONTENT_RATE_HZ, FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import Retrieval

NOISE_SCALE = 0.66666
SINE_AMPLITUDE = 0.1
VOICED_NOISE = 0.003
UNVOICED_NOISE = SINE_AMPLITUDE / 3
LEAST_MEL, MOST_MEL = (1127 * np.log1p(hz / 700) for hz in (50.0, 1100.0))
NO_PROTECTION = 0.5

DetectPitch = Callable[[Array], Pitch]


class RvcStream:
    """Converts blocks of ``plan.block_frames``; what it says lies ``plan.look_ahead_frames`` behind what it hears."""

    def __init__(
        self,
        content: Path,
        voice: Path,
        plan: Plan,
        open_detector: Callable[[], DetectPitch],
        retrieval: Retrieval | None,
    ) -> None:
        """``content`` and ``voice`` are what ``rwc_pw.rvc.network.export`` wrote."""
        self.pitch_ratio = 1.0
        self.index_rate = 0.0
        self.protect = NO_PROTECTION
        facts = json.loads((voice / "facts.json").read_text())
        self.samples_per_frame: int = facts["samples_per_frame"]
        self._plan = plan
        self._has_pitch: bool = facts["has_pitch"]
        self._channels: int = facts["channels"]
        self._linear: list[float] = facts["source"]
        self._retrieval = retrieval
        text_lengths, decoder_lengths = [plan.text_frames], [plan.decoded_frames]
        if self._has_pitch:
            text_lengths.append(plan.text_frames)
            decoder_lengths.append(plan.spoken_frames * self.samples_per_frame)
        with ThreadPoolExecutor() as pool:
            content_network = pool.submit(CpuNetwork, content / "content.xml", [plan.window_samples])
            text_network = pool.submit(CpuNetwork, voice / "text.xml", text_lengths)
            detector = pool.submit(open_detector)
            self._decoder = CpuNetwork(voice / "decoder.xml", decoder_lengths)
        self._content, self._text = content_network.result(), text_network.result()
        self._detect_pitch = detector.result()
        self.reset(np.zeros(0, np.float32))

    def reset(self, before: Array) -> None:
        """Begin anew; ``before`` was heard, and nothing was said."""
        silence = np.zeros(self._plan.window_samples, np.float32)
        self._heard = np.concatenate([silence, before])[-self._plan.window_samples :]
        self._features: Array | None = None
        self._pitch_hz = np.zeros(self._plan.past_frames, np.float32)
        self._phase = 0.0
        self._frame = 0
        self._state: list[Any] = [np.zeros(shape, np.float32) for shape in self._decoder.state_shapes]
        self.foreseen = np.zeros(self.samples_per_frame, np.float32)
        """What it would say first in the next block, (samples_per_frame,)."""

    def convert(self, sound: Array) -> Array:
        """(block_frames · 160,) to (block_frames · samples_per_frame,)."""
        plan = self._plan
        self._heard = np.concatenate([self._heard, sound])[-plan.window_samples :]
        if not self._heard.any():
            said, self.foreseen = self.foreseen, np.zeros_like(self.foreseen)
            self.reset(np.zeros(0, np.float32))
            return np.concatenate([said * _falling(len(said)), np.zeros(self._block_samples - len(said), np.float32)])
        features, pitch_hz = self._hear()
        mean, log_deviation = self._text(features[None], *([coarse(pitch_hz)[None]] if self._has_pitch else []))
        decoded = slice(plan.past_frames, None)
        noise = self._noise(plan.decoded_frames, self._channels, kind=0).T
        frames = mean[..., decoded] + np.exp(log_deviation[..., decoded]) * NOISE_SCALE * noise
        source = [self._source(pitch_hz[decoded])[None, None]] if self._has_pitch else []
        said, *state = self._decoder(frames.astype(np.float32), *source, *self._state)
        self._state = [np.array(values) for values in state]
        self._features = features[plan.block_frames :][: plan.past_frames]
        self._pitch_hz = pitch_hz[plan.block_frames :][: plan.past_frames]
        self._frame += plan.block_frames
        return self._joined(said[0, 0])

    @property
    def _block_samples(self) -> int:
        return self._plan.block_frames * self.samples_per_frame

    def _hear(self) -> tuple[Array, Array]:
        """Features and pitch of the frames that the text encoder attends to; what is past stays as it was."""
        plan = self._plan
        new = slice(plan.known_frames - plan.decoded_frames, plan.known_frames)
        [content] = self._content(self._heard[None])
        pitch_hz = self._pitch_of_frames()[new]
        features = np.repeat(content[0], 2, axis=0)[new]
        if self._retrieval and self.index_rate > 0:
            found = np.repeat(self._retrieval.blended(features[::2], self.index_rate), 2, axis=0)
            unvoiced_share = self.protect if self.protect < NO_PROTECTION and self._has_pitch else 1.0
            share = np.where(pitch_hz > 0, 1.0, unvoiced_share).astype(np.float32)[:, None]
            features = found * share + features * (1 - share)
        if self._features is None:
            self._features = np.repeat(features[:1], plan.past_frames, axis=0)
        return np.concatenate([self._features, features]), np.concatenate([self._pitch_hz, pitch_hz])

    def _joined(self, said: Array) -> Array:
        """The block, faded from what the last one said of its first frame."""
        block, fade = said[: self._block_samples].copy(), len(self.foreseen)
        falling = _falling(fade)
        block[:fade] = self.foreseen * falling + block[:fade] * (1 - falling)
        self.foreseen = said[self._block_samples :][:fade].copy()
        return block

    def _pitch_of_frames(self) -> Array:
        """Of each frame of the window, 0 where nothing is voiced."""
        if not self._has_pitch:
            return np.zeros(self._plan.window_frames, np.float32)
        times_s, found_hz = self._detect_pitch(self._heard)
        at_s = np.arange(self._plan.window_frames) * (FRAME_SAMPLES / CONTENT_RATE_HZ)
        voiced = found_hz > 0
        if not voiced.any():
            return np.zeros(len(at_s), np.float32)
        line = np.exp(np.interp(at_s, times_s[voiced], np.log(found_hz[voiced])))
        nearest = np.abs(at_s[:, None] - times_s[None]).argmin(axis=1)
        return (np.where(voiced[nearest], line, 0) * self.pitch_ratio).astype(np.float32)

    def _source(self, pitch_hz: Array) -> Array:
        """Sine and noise of the spoken frames; the phase goes on from block to block, in float64."""
        plan, per_frame = self._plan, self.samples_per_frame
        pitch_hz = pitch_hz[: plan.spoken_frames]
        phase = self._phase + np.cumsum(np.repeat(pitch_hz.astype(np.float64) / (100 * per_frame), per_frame))
        self._phase = float(phase[self._block_samples - 1] % 1.0)
        voiced = np.repeat(pitch_hz > 0, per_frame)
        sine = np.where(voiced, SINE_AMPLITUDE * np.sin(2 * np.pi * phase), 0)
        noise = (
            np.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * self._noise(plan.spoken_frames, per_frame, kind=1).ravel()
        )
        weight, bias = self._linear
        source: Array = np.tanh((sine + noise) * weight + bias).astype(np.float32)
        return source

    def _noise(self, frames: int, width: int, kind: int) -> Array:
        """Of each frame from the block's first on, (frames, width), normal; its own, whenever it is asked for."""
        numbers = range(self._frame, self._frame + frames)
        keys = ([kind, number] for number in numbers)
        return np.stack(
            [np.random.Generator(np.random.Philox(key=key)).standard_normal(width, np.float32) for key in keys]
        )


def _falling(count: int) -> Array:
    return np.linspace(1, 0, count, endpoint=False, dtype=np.float32)


def coarse(pitch_hz: Array) -> NDArray[np.int64]:
    """The pitch in RVC's 255 bins of the mel scale, the first for none: RVC-Project's ``get_f0``, in mel throughout."""
    mel = 1127 * np.log1p(pitch_hz / 700)
    scaled = (mel - LEAST_MEL) * 254 / (MOST_MEL - LEAST_MEL) + 1
    bins: NDArray[np.int64] = np.rint(np.clip(scaled, 1, 255)).astype(np.int64)
    return bins

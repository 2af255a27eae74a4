"""One block of a voice on the CPU: compiled networks, with numpy in between."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.pitch import Pitch
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, CONTENT_RATE_HZ, Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.step import (
    LEAST_MEL,
    MOST_MEL,
    NO_PROTECTION,
    NOISE_SCALE,
    PITCH_BINS,
    SINE_AMPLITUDE,
    UNVOICED_NOISE,
    VOICED_NOISE,
    Array,
    StepNoise,
    StepSettings,
)

DetectPitch = Callable[[Array], Pitch]


class CpuStep:
    """A ``Step`` on networks that ``rwc_pw.rvc.network.export`` wrote."""

    def __init__(
        self,
        content: Path,
        voice: Path,
        plan: Plan,
        open_detector: Callable[[], DetectPitch],
        retrieval: Retrieval | None,
    ) -> None:
        facts = json.loads((voice / "facts.json").read_text())
        self.samples_per_frame: int = facts["samples_per_frame"]
        self.channels: int = facts["channels"]
        self._plan = plan
        self._has_pitch: bool = facts["has_pitch"]
        self._linear: list[float] = facts["source"]
        self._retrieval = retrieval
        text_lengths, decoder_lengths = [plan.text_frames], [plan.decoded_frames]
        if self._has_pitch:
            text_lengths.append(plan.text_frames)
            decoder_lengths.append(plan.decoded_frames * self.samples_per_frame)
        with ThreadPoolExecutor() as pool:
            content_network = pool.submit(CpuNetwork, content / "content.xml", [plan.window_samples])
            text_network = pool.submit(CpuNetwork, voice / "text.xml", text_lengths)
            detector = pool.submit(open_detector)
            self._decoder = CpuNetwork(voice / "decoder.xml", decoder_lengths)
        self._content, self._text = content_network.result(), text_network.result()
        self._detect_pitch = detector.result()
        self.reset()

    def reset(self) -> None:
        self._features: Array | None = None
        self._pitch_hz = np.zeros(self._plan.past_frames, np.float32)
        self._phase = 0.0
        self._state: list[Any] = [np.zeros(shape, np.float32) for shape in self._decoder.state_shapes]

    def __call__(self, window: Array, noise: StepNoise, settings: StepSettings) -> Array:
        plan = self._plan
        features, pitch_hz = self._features_and_pitch(window, settings)
        mean, log_deviation = self._text(features[None], *([coarse(pitch_hz)[None]] if self._has_pitch else []))
        decoded = slice(plan.past_frames, None)
        frames = mean[..., decoded] + np.exp(log_deviation[..., decoded]) * NOISE_SCALE * noise.frames.T
        source = [self._source(pitch_hz[decoded], noise.source)[None, None]] if self._has_pitch else []
        output, *state = self._decoder(frames.astype(np.float32), *source, *self._state)
        self._state = [np.array(values) for values in state]
        self._features = features[plan.block_frames :][: plan.past_frames]
        self._pitch_hz = pitch_hz[plan.block_frames :][: plan.past_frames]
        sound: Array = output[0, 0]
        return sound

    def _features_and_pitch(self, window: Array, settings: StepSettings) -> tuple[Array, Array]:
        """Features and pitch of the frames that the text encoder attends to; past frames keep their values."""
        plan = self._plan
        content = self._content(window[None])[0][0, plan.new_content]
        pitch_hz = self._pitch_of_frames(window, settings.pitch_ratio)[plan.new_frames]
        features = self._in_frames(content)
        if self._retrieval and settings.index_rate > 0:
            found = self._in_frames(self._retrieval.blended(content, settings.index_rate))
            is_protected = settings.protect < NO_PROTECTION and self._has_pitch
            share = np.where(pitch_hz > 0, 1.0, settings.protect if is_protected else 1.0).astype(np.float32)[:, None]
            features = found * share + features * (1 - share)
        if self._features is None:
            self._features = np.repeat(features[:1], plan.past_frames, axis=0)
        return np.concatenate([self._features, features]), np.concatenate([self._pitch_hz, pitch_hz])

    def _in_frames(self, content: Array) -> Array:
        return np.repeat(content, 2, axis=0)[-self._plan.decoded_frames :]

    def _pitch_of_frames(self, window: Array, ratio: float) -> Array:
        """The pitch in Hz of each frame in the window; 0 where unvoiced."""
        if not self._has_pitch:
            return np.zeros(self._plan.window_frames, np.float32)
        times_s, found_hz = self._detect_pitch(window)
        at_s = np.arange(self._plan.window_frames) * (CONTENT_FRAME_SAMPLES / CONTENT_RATE_HZ)
        voiced = found_hz > 0
        if not voiced.any():
            return np.zeros(len(at_s), np.float32)
        line = np.exp(np.interp(at_s, times_s[voiced], np.log(found_hz[voiced])))
        nearest = np.abs(at_s[:, None] - times_s[None]).argmin(axis=1)
        return (np.where(voiced[nearest], line, 0) * ratio).astype(np.float32)

    def _source(self, pitch_hz: Array, normal: Array) -> Array:
        """Sine and noise of the decoded frames; the phase continues across blocks, in float64."""
        per_frame = self.samples_per_frame
        phase = self._phase + np.cumsum(np.repeat(pitch_hz.astype(np.float64) / (100 * per_frame), per_frame))
        self._phase = float(phase[self._plan.block_frames * per_frame - 1] % 1.0)
        voiced = np.repeat(pitch_hz > 0, per_frame)
        sine = np.where(voiced, SINE_AMPLITUDE * np.sin(2 * np.pi * phase), 0)
        noise = np.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * normal.ravel()
        weight, bias = self._linear
        source: Array = np.tanh((sine + noise) * weight + bias).astype(np.float32)
        return source


def coarse(pitch_hz: Array) -> NDArray[np.int64]:
    """The pitch in RVC's 255 mel bins, the first for unvoiced: RVC-Project's ``get_f0``, in mel throughout."""
    mel = 1127 * np.log1p(pitch_hz / 700)
    scaled = (mel - LEAST_MEL) * (PITCH_BINS - 1) / (MOST_MEL - LEAST_MEL) + 1
    bins: NDArray[np.int64] = np.rint(np.clip(scaled, 1, PITCH_BINS)).astype(np.int64)
    return bins

"""A whole block of a voice in torch, from input to output, without synchronising with the host.

It does the same as ``rwc_pw/rvc/cpu_step.py``, in operations that a GPU can run as one graph.
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.salience import NETWORKS, SALIENCE_BINS
from rwc_pw.rvc.network.stored import read_voice
from rwc_pw.rvc.network.text_encoder import TextEncoder
from rwc_pw.rvc.pitch import REACH, SPECTRUM_SAMPLES, frame_counts
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import LEAST_DISTANCE, NEIGHBOURS
from rwc_pw.rvc.step import (
    LEAST_MEL,
    MOST_MEL,
    NO_PROTECTION,
    NOISE_SCALE,
    PITCH_BINS,
    SINE_AMPLITUDE,
    UNVOICED_NOISE,
    VOICED_NOISE,
)
from rwc_pw.voices.architecture import FEATURES


class WholeVoice(nn.Module):
    """Computes blocks of ``plan.block_frames``; the state for the next block is in its buffers."""

    _past_features: Tensor
    _past_pitch_hz: Tensor
    _phase: Tensor
    _begins: Tensor

    def __init__(
        self, contentvec: Path, voice: Path, plan: Plan, detector: Path | None, indexed: Tensor | None
    ) -> None:
        """``detector``: its weights, if the voice has pitch; ``indexed``: the index's features, (n, width)."""
        super().__init__()
        network, weights = read_voice(voice)
        self._plan = plan
        self.channels = network.inter
        self._content = Content(contentvec, network.version)
        self._text = TextEncoder(weights, network)
        self._decoder = Decoder(weights, network)
        self.samples_per_frame = self._decoder.samples_per_frame
        self._linear = [
            float(weights[f"dec.m_source.l_linear.{part}"].reshape(())) if network.has_pitch else 0.0
            for part in ("weight", "bias")
        ]
        self._pitch = _Pitch(detector, plan) if detector else None
        self._retrieval = None if indexed is None else _Retrieval(indexed)
        self.register_buffer("_past_features", torch.zeros(1, plan.past_frames, FEATURES[network.version]))
        self.register_buffer("_past_pitch_hz", torch.zeros(plan.past_frames))
        self.register_buffer("_phase", torch.zeros((), dtype=torch.float64))
        self.register_buffer("_begins", torch.ones((), dtype=torch.bool))
        shapes = self._state_shapes()
        self._state = [f"_state_{number}" for number in range(len(shapes))]
        for name, shape in zip(self._state, shapes, strict=True):
            self.register_buffer(name, torch.zeros(shape))

    def halve(self) -> None:
        """Compute the networks in float16; the pitch and the source keep their precision."""
        for network in (self._content, self._text, self._decoder):
            network.half()
        for name in ("_past_features", *self._state):
            setattr(self, name, getattr(self, name).half())

    def reset(self) -> None:
        for state in self.buffers(recurse=False):
            state.zero_()
        self._begins.fill_(True)

    def forward(self, window: Tensor, frame_noise: Tensor, source_noise: Tensor, settings: Tensor) -> Tensor:
        """(window_samples,), (decoded_frames, channels), (decoded_frames, samples_per_frame) and the settings' numbers
        to (decoded_frames · samples_per_frame,), float32.
        """
        plan = self._plan
        pitch_ratio, index_rate, protect = settings.unbind()
        found_hz = self._pitch(window)[plan.new_frames] if self._pitch else window.new_zeros(plan.decoded_frames)
        new_hz = found_hz * pitch_ratio
        features = self._new_features(window, new_hz, index_rate, protect)
        past = torch.where(self._begins, features[:, :1], self._past_features)
        features, pitch_hz = torch.cat([past, features], dim=1), torch.cat([self._past_pitch_hz, new_hz])
        mean, log_deviation = self._text(features, _coarse(pitch_hz)[None])
        decoded = slice(plan.past_frames, None)
        noise = NOISE_SCALE * frame_noise.T
        frames = mean[..., decoded].float() + torch.exp(log_deviation[..., decoded].float()) * noise
        source = self._source(new_hz, source_noise)[None, None] if self._pitch else None
        output = self._decoded(frames.to(mean.dtype), source if source is None else source.to(mean.dtype))
        self._past_features.copy_(features[:, plan.block_frames :][:, : plan.past_frames])
        self._past_pitch_hz.copy_(pitch_hz[plan.block_frames :][: plan.past_frames])
        self._begins.fill_(False)
        return output[0, 0].float()

    def _new_features(self, window: Tensor, pitch_hz: Tensor, index_rate: Tensor, protect: Tensor) -> Tensor:
        """The features of the decoded frames, (1, decoded_frames, width)."""
        kind = self._past_features.dtype
        content = self._content(window[None].to(kind))[0, self._plan.new_content].float()
        features = self._in_frames(content)
        if self._retrieval:
            found = self._in_frames(self._retrieval(content, index_rate))
            share = torch.where((pitch_hz > 0) | (protect >= NO_PROTECTION), 1.0, protect)[:, None]
            features = found * share + features * (1 - share) if self._pitch else found
        return features[None].to(kind)

    def _in_frames(self, content: Tensor) -> Tensor:
        return content.repeat_interleave(2, dim=0)[-self._plan.decoded_frames :]

    def _source(self, pitch_hz: Tensor, normal: Tensor) -> Tensor:
        per_frame = self.samples_per_frame
        turns = (pitch_hz.double() / (100 * per_frame)).repeat_interleave(per_frame)
        phase = self._phase + torch.cumsum(turns, 0)
        self._phase.copy_(phase[self._plan.block_frames * per_frame - 1] % 1.0)
        voiced = (pitch_hz > 0).repeat_interleave(per_frame)
        sine = torch.where(voiced, SINE_AMPLITUDE * torch.sin(2 * math.pi * phase), 0.0)
        noise = torch.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * normal.flatten()
        weight, bias = self._linear
        return torch.tanh((sine + noise) * weight + bias).float()

    def _decoded(self, frames: Tensor, source: Tensor | None) -> Tensor:
        before = [getattr(self, name) for name in self._state]
        carry = Carry(self._plan.look_ahead_frames, before)
        output: Tensor = self._decoder(frames, source, carry)
        for state, after in zip(before, carry.after, strict=True):
            state.copy_(after)
        return output

    def _state_shapes(self) -> list[torch.Size]:
        plan, carry = self._plan, Carry(self._plan.look_ahead_frames)
        source = torch.zeros(1, 1, plan.decoded_frames * self.samples_per_frame) if self._pitch else None
        self._decoder(torch.zeros(1, self.channels, plan.decoded_frames), source, carry)
        return [state.shape for state in carry.after]


class _Pitch(nn.Module):
    """Sound (n,) to Hz, one value every 10 ms, 0 where unvoiced; the counterpart of ``SalienceDetector``."""

    _window: Tensor
    _cents: Tensor

    def __init__(self, weights: Path, plan: Plan) -> None:
        super().__init__()
        self._network = NETWORKS[weights.stem](weights)
        facts = self._network.facts
        self._padding = int(facts["padding_samples"])
        self._least_salience = facts["least_salience"]
        _, self._missing_frames = frame_counts(plan.window_samples, facts)
        pitches = torch.linspace(facts["least_cents"], facts["most_cents"], SALIENCE_BINS, dtype=torch.float64)
        self.register_buffer("_cents", pitches)
        self.register_buffer("_window", torch.hann_window(SPECTRUM_SAMPLES, dtype=torch.float64))

    def forward(self, window: Tensor) -> Tensor:
        padded = functional.pad(window[None, None], (self._padding, self._padding), mode="reflect")[0, 0]
        spectra = torch.fft.rfft(padded.unfold(0, SPECTRUM_SAMPLES, CONTENT_FRAME_SAMPLES) * self._window.float())
        frames = len(spectra)
        magnitudes = functional.pad(spectra.abs().T[None], (0, self._missing_frames), mode="reflect").transpose(1, 2)
        salience = self._network(magnitudes)[0, :frames].double()
        at = salience.argmax(dim=1, keepdim=True) + torch.arange(-REACH, REACH + 1, device=window.device)
        weights = torch.gather(functional.pad(salience, (REACH, REACH)), 1, at + REACH)
        cents = (weights * self._cents[at.clamp(0, len(self._cents) - 1)]).sum(dim=1)
        cents = cents / weights.sum(dim=1).clamp(min=torch.finfo(torch.float64).tiny)
        voiced = salience.amax(dim=1) > self._least_salience
        return torch.where(voiced, 10 * torch.exp2(cents / 1200), 0.0).float()


class _Retrieval(nn.Module):
    """``Retrieval`` over the whole index: a GPU can afford to search more than the nearest cell."""

    _indexed: Tensor
    _squares: Tensor

    def __init__(self, indexed: Tensor) -> None:
        super().__init__()
        self.register_buffer("_indexed", indexed)
        self.register_buffer("_squares", indexed.square().sum(dim=1))

    def forward(self, features: Tensor, rate: Tensor) -> Tensor:
        unlike = self._squares - 2 * features @ self._indexed.T
        nearest = unlike.topk(min(NEIGHBOURS, len(self._indexed)), dim=1, largest=False).indices
        found = self._indexed[nearest]
        distances = (found - features[:, None]).square().sum(dim=2).double()
        weights = 1 / distances.clamp(min=LEAST_DISTANCE) ** 2
        shares = (weights / weights.sum(dim=1, keepdim=True)).float()
        return rate * (shares[:, :, None] * found).sum(dim=1) + (1 - rate) * features


def _coarse(pitch_hz: Tensor) -> Tensor:
    mel = 1127 * torch.log1p(pitch_hz / 700)
    scaled = (mel - LEAST_MEL) * (PITCH_BINS - 1) / (MOST_MEL - LEAST_MEL) + 1
    return scaled.clamp(1, PITCH_BINS).round().long()

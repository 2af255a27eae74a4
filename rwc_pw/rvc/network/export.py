"""Compiles a voice for the CPU, in its own process: the process that carries the sound should not load torch.

    python -m rwc_pw.rvc.network.export VOICE TARGET voice FRAMES
    python -m rwc_pw.rvc.network.export CONTENTVEC TARGET v1|v2
    python -m rwc_pw.rvc.network.export WEIGHTS TARGET rmvpe|fcpe

write to the folder TARGET, in OpenVINO's form, ``text.xml`` (features and pitch to mean and log deviation),
``decoder.xml`` (frames, source and carried state to sound and state) and ``facts.json``; ``content.xml`` (sound to
features); or ``salience.xml`` (magnitudes to the salience of pitches) and ``facts.json``. The block length is left
open, and fixed on loading. FRAMES is the voice's look-ahead. The process ends when its standard input
closes, and so with its parent.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.salience import NETWORKS
from rwc_pw.rvc.network.stored import read_voice
from rwc_pw.rvc.network.text_encoder import TextEncoder
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES
from rwc_pw.rvc.plan import Plan
from rwc_pw.system.child import end_with_standard_input
from rwc_pw.system.extra import load_module
from rwc_pw.voices.architecture import FEATURES

EXAMPLE = Plan(block_frames=10)
EXAMPLE_FRAMES = 64  # for a detector


class _Flat(nn.Module):
    """The decoder, with its state as plain inputs and outputs."""

    def __init__(self, decoder: Decoder, has_pitch: bool, provisional_frames: int) -> None:
        super().__init__()
        self._decoder = decoder
        self._has_pitch = has_pitch
        self._provisional_frames = provisional_frames

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Takes the frames, the source if there is one, then the state."""
        frames, *others = values
        source = others.pop(0) if self._has_pitch else None
        carry = Carry(self._provisional_frames, others)
        return self._decoder(frames, source, carry), *carry.after


def export_content(contentvec: Path, target: Path, version: str) -> None:
    with torch.no_grad():
        _save(Content(contentvec, version).eval(), target / "content.xml", [torch.zeros(1, EXAMPLE.window_samples)])


def export_voice(voice: Path, target: Path, provisional_frames: int) -> None:
    network, weights = read_voice(voice)
    plan = replace(EXAMPLE, look_ahead_frames=provisional_frames)
    with torch.no_grad():
        features = torch.zeros(1, plan.text_frames, FEATURES[network.version])
        pitch = torch.ones(1, plan.text_frames, dtype=torch.long)
        text = [features, pitch] if network.has_pitch else [features]
        _save(TextEncoder(weights, network).eval(), target / "text.xml", text)
        decoder = Decoder(weights, network).eval()
        frames = torch.zeros(1, network.inter, plan.decoded_frames)
        source = [torch.zeros(1, 1, plan.decoded_frames * decoder.samples_per_frame)] if network.has_pitch else []
        first = Carry(provisional_frames)
        decoder(frames, *(source or [None]), first)
        flat = _Flat(decoder, network.has_pitch, provisional_frames)
        _save(flat, target / "decoder.xml", [frames, *source], length_axis=2, state=first.after)
    linear = (
        [float(weights[f"dec.m_source.l_linear.{part}"].reshape(())) for part in ("weight", "bias")] if source else []
    )
    facts = {
        "samples_per_frame": decoder.samples_per_frame,
        "has_pitch": network.has_pitch,
        "channels": network.inter,
        "source": linear,
    }
    (target / "facts.json").write_text(json.dumps(facts))


def export_detector(weights: Path, target: Path, detector: str) -> None:
    with torch.no_grad():
        network = NETWORKS[detector](weights).eval()
        _save(network, target / "salience.xml", [torch.zeros(1, EXAMPLE_FRAMES, SPECTRUM_SAMPLES // 2 + 1)])
    (target / "facts.json").write_text(json.dumps(network.facts))


def _save(
    module: nn.Module, path: Path, block: list[Tensor], length_axis: int = 1, state: Sequence[Tensor] = ()
) -> None:
    """Convert ``module`` and save it; its inputs are the ``block``, whose length is left open, and the ``state``."""
    openvino = load_module("openvino")
    shapes = [list(value.shape) for value in (*block, *state)]
    for shape in shapes[: len(block)]:
        shape[length_axis] = -1
    traced = torch.jit.trace(module, (*block, *state), check_trace=False)  # convert_model itself would trace it twice
    model = openvino.convert_model(traced, example_input=(*block, *state), input=shapes)
    openvino.save_model(model, path, compress_to_fp16=True)


if __name__ == "__main__":
    end_with_standard_input()
    source, target, (what, *frames) = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    if what == "voice":
        export_voice(source, target, int(*frames))
    elif what in NETWORKS:
        export_detector(source, target, what)
    else:
        export_content(source, target, what)

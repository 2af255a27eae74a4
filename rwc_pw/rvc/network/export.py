"""Compiles a voice for the CPU, in a process of its own: torch is not wanted where the sound flows.

    python -m rwc_pw.rvc.network.export VOICE TARGET voice
    python -m rwc_pw.rvc.network.export CONTENTVEC TARGET v1|v2
    python -m rwc_pw.rvc.network.export WEIGHTS TARGET rmvpe|fcpe

write to the folder TARGET, in OpenVINO's form, ``text.xml`` (features and pitch to mean and log deviation),
``decoder.xml`` (frames, source and carried state to sound and state) and ``facts.json``; ``content.xml`` (sound to
features); or ``salience.xml`` (magnitudes to the salience of pitches) and ``facts.json``. Blocks may have any length:
whoever opens them fixes it.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.salience import NETWORKS
from rwc_pw.rvc.network.streams import Carry
from rwc_pw.rvc.network.text_encoder import TextEncoder
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES
from rwc_pw.rvc.plan import EXAMPLE
from rwc_pw.rvc.quiet_openvino import load_openvino
from rwc_pw.voices.architecture import FEATURES, Architecture
from rwc_pw.voices.checkpoint import read_stored

EXAMPLE_FRAMES = 64  # of a detector


class Content(nn.Module):
    """ContentVec: sound at 16 kHz, (1, n), to features (1, frames, 256 or 768), one every 20 ms."""

    def __init__(self, folder: Path, version: str) -> None:
        from transformers import HubertConfig, HubertModel

        super().__init__()
        config = HubertConfig.from_pretrained(folder)
        config._attn_implementation = "eager"
        self._hubert = HubertModel(config)
        weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
        own = {name: weight for name, weight in weights.items() if not name.startswith("final_proj.")}
        self._hubert.load_state_dict(own, strict=False)
        self._projection = nn.Identity()
        if version == "v1":
            self._projection = nn.Linear(config.hidden_size, FEATURES["v1"])
            self._projection.load_state_dict({part: weights[f"final_proj.{part}"] for part in ("weight", "bias")})

    def forward(self, sound: Tensor) -> Tensor:
        return self._projection(self._hubert(sound).last_hidden_state)


class _Flat(nn.Module):
    """The decoder with its state as plain inputs and outputs."""

    def __init__(self, decoder: Decoder, has_pitch: bool) -> None:
        super().__init__()
        self._decoder = decoder
        self._has_pitch = has_pitch

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Frames, then the source where there is one, then the state."""
        frames, *others = values
        source = others.pop(0) if self._has_pitch else None
        carry = Carry(EXAMPLE.provisional_frames, others)
        return self._decoder(frames, source, carry), *carry.after


def read_voice(folder: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """A stored voice's network and its weights, in float32."""
    stored, metadata = read_stored(folder)
    weights = {name: weight.float() for name, weight in stored.items()}
    speakers = len(weights["emb_g.weight"])
    config = json.loads(metadata["config"])
    return Architecture.from_config(config, metadata["version"], int(metadata["f0"]), speakers), weights


def export_content(contentvec: Path, target: Path, version: str) -> None:
    with torch.no_grad():
        _save(Content(contentvec, version).eval(), target / "content.xml", [torch.zeros(1, EXAMPLE.window_samples)])


def export_voice(voice: Path, target: Path) -> None:
    network, weights = read_voice(voice)
    with torch.no_grad():
        features = torch.zeros(1, EXAMPLE.text_frames, FEATURES[network.version])
        pitch = torch.ones(1, EXAMPLE.text_frames, dtype=torch.long)
        text = [features, pitch] if network.has_pitch else [features]
        _save(TextEncoder(weights, network).eval(), target / "text.xml", text)
        decoder = Decoder(weights, network).eval()
        frames = torch.zeros(1, network.inter, EXAMPLE.decoded_frames)
        source = [torch.zeros(1, 1, EXAMPLE.decoded_frames * decoder.samples_per_frame)] if network.has_pitch else []
        first = Carry(EXAMPLE.provisional_frames)
        decoder(frames, *(source or [None]), first)
        flat = _Flat(decoder, network.has_pitch)
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
    """The inputs are those of a ``block``, whose length is left open, and the ``state``."""
    openvino = load_openvino()
    shapes = [list(value.shape) for value in (*block, *state)]
    for shape in shapes[: len(block)]:
        shape[length_axis] = -1
    model = openvino.convert_model(module, example_input=(*block, *state), input=shapes)
    openvino.save_model(model, path, compress_to_fp16=True)


if __name__ == "__main__":
    source, target, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    if what == "voice":
        export_voice(source, target)
    elif what in NETWORKS:
        export_detector(source, target, what)
    else:
        export_content(source, target, what)

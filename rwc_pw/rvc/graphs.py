"""The graphs of which a voice on the CPU is made: for each, its name among the kept ones, and how it is built."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rwc_pw.rvc.graph_files import Build
from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.rvc.network.salience import SalienceNetwork
from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.weights import read_weights
from rwc_pw.voices.architecture import FEATURES
from rwc_pw.voices.rvc_voice import MODEL_FILE

Graphs = tuple[str, Path, object, Mapping[str, Build]]
"""What ``GraphFiles.find`` takes: a name, a file of weights, other facts, and the builds."""
EXAMPLE = Plan(block_frames=10)  # a graph is given the shapes of a block when it is loaded
EXAMPLE_FRAMES = 64  # for a pitch detector


def content_graphs(sources: VoiceSources) -> Graphs:
    """``content``: sound to features. Voices of one version share it."""
    version = sources.network.version

    def content(ops: OpenvinoOperations) -> Any:
        sound = ops.input([1, EXAMPLE.window_samples])
        return ops.model([sound], [Content(ops, sources.contentvec, version)(sound)], [])

    name = f".contentvec-{version}"  # never a voice's name
    return name, sources.contentvec / "pytorch_model.bin", version, {"content": content}


def voice_graphs(sources: VoiceSources, look_ahead_frames: int) -> Graphs:
    """``text``: features and pitch to mean and log deviation; ``decoder``: frames and source to sound."""
    network = sources.network

    def text(ops: OpenvinoOperations) -> Any:
        frames = EXAMPLE.text_frames
        features = ops.input([1, frames, FEATURES[network.version]])
        by_distance, by_frame = relative_positions(frames, network.heads)
        positions = ops.input(by_distance.shape, np.int64), ops.input(by_frame.shape, np.int64)
        pitch = ops.input([frames], np.int64) if network.has_pitch else None
        outputs = TextEncoder(ops, sources.weights(), network)(features, *positions, pitch)
        return ops.model([features, *positions, *([] if pitch is None else [pitch])], outputs, [])

    def decoder(ops: OpenvinoOperations) -> Any:
        made, carry = Decoder(ops, sources.weights(), network), Carry(ops, look_ahead_frames)
        frames = ops.input([1, network.inter, EXAMPLE.block_frames + look_ahead_frames])
        samples = (EXAMPLE.block_frames + look_ahead_frames) * made.samples_per_frame
        source = ops.input([1, 1, samples]) if network.has_pitch else None
        sound = made(frames, source, carry)
        return ops.model([frames] if source is None else [frames, source], [sound], carry.after)

    builds = {"text": text, "decoder": decoder}
    return sources.name, sources.folder / MODEL_FILE, [look_ahead_frames, asdict(network)], builds


def salience_graphs(name: str, weights: Path, network: type[SalienceNetwork]) -> Graphs:
    """``salience``: magnitudes to the salience of pitches, by the detector ``name``."""

    def salience(ops: OpenvinoOperations) -> Any:
        magnitudes = ops.input([1, EXAMPLE_FRAMES, SPECTRUM_SAMPLES // 2 + 1])
        return ops.model([magnitudes], [network(ops, read_weights(weights))(magnitudes)], [])

    return f".{name}", weights, name, {"salience": salience}

"""Builds networks for OpenVINO, in a process of its own: some of OpenVINO's steps hold Python's lock for a second.

    python -m rwc_pw.rvc.build TARGET content CONTENTVEC v1|v2
    python -m rwc_pw.rvc.build TARGET voice VOICE FRAMES
    python -m rwc_pw.rvc.build TARGET salience WEIGHTS DETECTOR

write to the folder TARGET ``content.xml`` (sound to features); ``text.xml`` (features and pitch to mean and log
deviation) and ``decoder.xml`` (frames and source to sound), whose look-ahead is FRAMES; or ``salience.xml`` (magnitudes
to the salience of pitches). The process ends when its standard input closes, and so with its parent.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rwc_pw.rvc.detectors import detector_named
from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.rvc.network.text_encoder import TextEncoder, relative_positions
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.sources import read_network
from rwc_pw.rvc.weights import read_weights
from rwc_pw.system.child import end_with_standard_input
from rwc_pw.system.extra import load_module
from rwc_pw.voices.architecture import FEATURES
from rwc_pw.voices.checkpoint import read_stored

EXAMPLE = Plan(block_frames=10)  # a graph is given the shapes of a block when it is loaded
EXAMPLE_FRAMES = 64  # for a pitch detector


def content(ops: OpenvinoOperations, contentvec: Path, version: str) -> Any:
    """The graph of ContentVec in the folder ``contentvec``."""
    sound = ops.input([1, EXAMPLE.window_samples])
    return ops.model([sound], [Content(ops, contentvec, version)(sound)], [])


def text(ops: OpenvinoOperations, voice: Path) -> Any:
    """The graph of the text encoder of the voice stored in the folder ``voice``."""
    network, frames = read_network(voice), EXAMPLE.text_frames
    features = ops.input([1, frames, FEATURES[network.version]])
    positions = [ops.input(index.shape, np.int64) for index in relative_positions(frames, network.heads)]
    pitch = [ops.input([frames], np.int64)] if network.has_pitch else []
    inputs = [features, *positions, *pitch]
    return ops.model(inputs, TextEncoder(ops, read_stored(voice)[0], network)(*inputs), [])


def decoder(ops: OpenvinoOperations, voice: Path, look_ahead_frames: int) -> Any:
    """The graph of that voice's flow and generator, with its state within."""
    network = read_network(voice)
    made, carry = Decoder(ops, read_stored(voice)[0], network), Carry(ops, look_ahead_frames)
    decoded_frames = EXAMPLE.block_frames + look_ahead_frames
    frames = ops.input([1, network.inter, decoded_frames])
    source = ops.input([1, 1, decoded_frames * made.samples_per_frame]) if network.has_pitch else None
    sound = made(frames, source, carry)
    return ops.model([frames] if source is None else [frames, source], [sound], carry.after)


def salience(ops: OpenvinoOperations, weights: Path, detector: str) -> Any:
    """The graph of the pitch detector of that name; ``ValueError`` if it has none."""
    if not (network := detector_named(detector).network):
        raise ValueError(f"{detector} has no network of its own")
    magnitudes = ops.input([1, EXAMPLE_FRAMES, SPECTRUM_SAMPLES // 2 + 1])
    return ops.model([magnitudes], [network()(ops, read_weights(weights))(magnitudes)], [])


def builds(what: str, source: Path, more: str) -> Mapping[str, Callable[[OpenvinoOperations], Any]]:
    """The graphs that the command line asks for, by their names."""
    match what:
        case "content":
            return {"content": lambda ops: content(ops, source, more)}
        case "voice":
            return {"text": lambda ops: text(ops, source), "decoder": lambda ops: decoder(ops, source, int(more))}
        case _:
            return {"salience": lambda ops: salience(ops, source, more)}


def main(target: Path, what: str, source: Path, more: str) -> None:
    """Build, and write in float16."""
    for name, build in builds(what, source, more).items():
        load_module("openvino").save_model(build(OpenvinoOperations()), target / f"{name}.xml", compress_to_fp16=True)


if __name__ == "__main__":
    end_with_standard_input()
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4])

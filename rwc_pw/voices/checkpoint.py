"""Knows a stranger's voice by its checkpoint, and keeps it as safetensors.

Only ``rwc_pw.voices.adding.inspector``, a process with limits, opens strangers' models and indexes. Stored voices,
which we wrote ourselves, may be read anywhere.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rwc_pw.system.extra import load_module
from rwc_pw.voices.architecture import Architecture, ArchitectureError
from rwc_pw.voices.rvc_voice import MODEL_FILE
from rwc_pw.voices.tensors import BadTorchFileError, Weights, widened
from rwc_pw.voices.torch_file import read_torch_file

LEAST_NUMBER_BYTES = 2
STORED = {"F16": np.float16, "F32": np.float32, "BF16": np.uint16}  # as safetensors calls them
TORCH_PREFIX = "parametrizations.weight.original"  # in the newer names of weight_g and weight_v
TRAINING_ONLY = "enc_q."
CONTENTVEC_NAMES = ("contentvec", "hubert_base")  # in files of Applio and ultimate-rvc; others have none


class BadVoiceError(ValueError):
    """The file is not a voice; the message says why, as the end of a sentence that begins with the file's name."""


def read_checkpoint(path: Path) -> tuple[Architecture, Weights]:
    """The network and its weights; ``BadVoiceError`` if the file is not a voice."""
    checkpoint = _read(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("weight"), dict):
        raise BadVoiceError("is a PyTorch file, but not a voice ready for use: it has no weights under `weight`")
    _check_kind(checkpoint)
    weights = _named_as_usual(checkpoint["weight"])
    speakers = weights.get("emb_g.weight")
    if not isinstance(speakers, np.ndarray) or speakers.ndim != 2:
        raise BadVoiceError("has no speakers")
    try:
        architecture = Architecture.from_config(
            checkpoint.get("config"), checkpoint.get("version", "v1"), checkpoint.get("f0", 1), len(speakers)
        )
    except ArchitectureError as error:
        raise BadVoiceError(f"is not a voice: {error}") from error
    _check_weights(weights, dict(architecture.shapes()), path.stat().st_size)
    return architecture, weights


def _read(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise BadVoiceError("is empty")
    if start.lstrip()[:1] == b"<":
        raise BadVoiceError("is a web page, not a voice")
    try:
        return read_torch_file(path)
    except BadTorchFileError as error:
        raise BadVoiceError(str(error)) from error


def _check_kind(checkpoint: dict[object, object]) -> None:
    """Refuse the voice of another vocoder or embedder; what is no text, and may be endless, is not shown."""
    vocoder, embedder = checkpoint.get("vocoder", "HiFi-GAN"), checkpoint.get("embedder_model")
    if not isinstance(vocoder, str) or vocoder != "HiFi-GAN":
        raise BadVoiceError("needs a vocoder other than HiFi-GAN, which is not known here")
    if embedder is None or (isinstance(embedder, str) and embedder in CONTENTVEC_NAMES):
        return
    name = f"{embedder!a:.80}" if isinstance(embedder, str) else "of no name"
    raise BadVoiceError(f"was trained with the embedder {name}, and only ContentVec is known here")


def _named_as_usual(weights: dict[Any, Any]) -> dict[str, Any]:
    """Drop the weights only used in training; name weight normalisation in the older way, as ultimate-rvc expects."""
    named: dict[str, Any] = {}
    for name, weight in weights.items():
        if not isinstance(name, str):
            raise BadVoiceError("has a weight whose name is no text")
        if not name.startswith(TRAINING_ONLY):
            usual = name.replace(f"{TORCH_PREFIX}0", "weight_g").replace(f"{TORCH_PREFIX}1", "weight_v")
            named[usual] = weight
    return named


def _check_weights(weights: dict[str, Any], shapes: dict[str, tuple[int, ...]], file_bytes: int) -> None:
    if missing := sorted(shapes.keys() - weights.keys()):
        raise BadVoiceError(f"lacks {len(missing)} weights, {missing[0]} among them")
    if unknown := sorted(weights.keys() - shapes.keys()):
        raise BadVoiceError(f"has {len(unknown)} weights that no voice has, {unknown[0][:80]!a} among them")
    for name, shape in shapes.items():
        weight = weights[name]
        if not isinstance(weight, np.ndarray) or weight.shape != shape:
            raise BadVoiceError(f"declares another shape of {name} than it has")
        if weight.dtype not in (np.float16, np.float32):
            raise BadVoiceError(f"has numbers of a kind in {name} that no voice has")
    if sum(weights[name].size for name in shapes) * LEAST_NUMBER_BYTES > file_bytes:  # one tensor can be them all
        raise BadVoiceError("declares more than is in it")
    for name in shapes:
        if not np.isfinite(weights[name]).all():
            raise BadVoiceError(f"has numbers that are not finite in {name}")


def store_model(architecture: Architecture, weights: Weights, folder: Path) -> None:
    """Write the model into ``folder`` as safetensors, with the weights' precision unchanged."""
    metadata = {
        "config": json.dumps(architecture.config),
        "version": architecture.version,
        "f0": str(int(architecture.has_pitch)),
    }
    contiguous = {name: np.ascontiguousarray(weight) for name, weight in weights.items()}
    load_module("safetensors.numpy").save_file(contiguous, folder / MODEL_FILE, metadata)


def read_stored(voice_folder: Path) -> tuple[Weights, dict[str, str]]:
    """A stored voice's weights and their safetensors metadata: ``config`` in JSON, ``version``, ``f0``."""
    safetensors, path = load_module("safetensors"), voice_folder / MODEL_FILE
    with safetensors.safe_open(path, "np") as model:
        metadata = model.metadata()
    stored = safetensors.deserialize(path.read_bytes())
    return {name: _array(tensor) for name, tensor in stored}, metadata


def _array(tensor: dict[str, Any]) -> NDArray[Any]:
    """A tensor as safetensors gives it; voices were once stored in bfloat16 too."""
    numbers = np.frombuffer(tensor["data"], STORED[tensor["dtype"]])
    return (widened(numbers) if tensor["dtype"] == "BF16" else numbers).reshape(tensor["shape"])

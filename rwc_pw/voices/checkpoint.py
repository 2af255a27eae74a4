"""Reads a stranger's ``.pth`` without executing anything in it, and writes the one that ultimate-rvc loads.

Only ``rwc_pw.voices.adding.inspector``, a process with limits, opens strangers' models and indexes. Stored voices,
which we wrote ourselves, may be read anywhere.
"""

import json
import pickletools
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rwc_pw.voices.architecture import Architecture, ArchitectureError
from rwc_pw.voices.archive import TooManyEntriesError, is_pickle, opened_archive
from rwc_pw.voices.rvc_voice import MODEL_FILE

if TYPE_CHECKING:
    import torch

LARGEST_PICKLE_BYTES = 1 << 20  # ten times those of common voices; as objects it may become fifty times as large
KNOWN_GLOBALS = re.compile(  # of what torch itself lets pass, some makes gigabytes of a few bytes
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch\.nn\.parameter Parameter"
    r"|torch \w+Storage|torch Size"
)
TORCH_PREFIX = "parametrizations.weight.original"  # in the newer names of weight_g and weight_v
TRAINING_ONLY = "enc_q."
CONTENTVEC_NAMES = (None, "contentvec", "hubert_base")  # in files of Applio, ultimate-rvc, and of others that have none


class BadVoiceError(ValueError):
    """The file is not a voice; the message says why, as the end of a sentence that begins with the file's name."""


def look_at(path: Path) -> None:
    """Raise ``BadVoiceError`` for what cannot be a voice, before anything is loaded."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise BadVoiceError("is empty")
    if start.lstrip()[:1] == b"<":
        raise BadVoiceError("is a web page, not a voice")
    if not zipfile.is_zipfile(path):
        raise BadVoiceError("is not in PyTorch's current format, or it is cut short")
    try:
        with path.open("rb") as file, opened_archive(file) as archive:
            entries = archive.infolist()
            pickled = archive.read(_check_entries(entries, path.stat().st_size))
    except TooManyEntriesError as error:
        raise BadVoiceError("holds more than any voice does") from error
    except BadVoiceError:
        raise
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise BadVoiceError("is damaged") from error
    _check_pickle(pickled)


def _check_entries(entries: list[zipfile.ZipInfo], file_bytes: int) -> zipfile.ZipInfo:
    """The one entry with a pickle."""
    pickles = [entry for entry in entries if is_pickle(entry.filename)]
    if len(pickles) != 1:
        raise BadVoiceError("is an archive, but not of a voice")
    if pickles[0].file_size > LARGEST_PICKLE_BYTES:
        raise BadVoiceError("holds more than any voice does")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise BadVoiceError("is compressed, as no voice is")  # however large it would become
    if len({entry.filename for entry in entries}) != len(entries):
        raise BadVoiceError("contains an entry twice")
    if sum(entry.file_size for entry in entries) > file_bytes:
        raise BadVoiceError("declares more than is in it")
    return pickles[0]


def _check_pickle(pickled: bytes) -> None:
    """Refuse what torch would make of the pickle, while it is bytes: a function called may take any memory."""
    try:
        called = [str(argument) for opcode, argument, _ in pickletools.genops(pickled) if opcode.name == "GLOBAL"]
    except (ValueError, RecursionError) as error:
        raise BadVoiceError("is damaged") from error
    if not all(KNOWN_GLOBALS.fullmatch(name) for name in called):
        raise BadVoiceError("would run code, or make what no voice holds")


def read_checkpoint(path: Path) -> tuple[Architecture, dict[str, "torch.Tensor"]]:
    """The network and its weights; ``BadVoiceError`` if the file is not a voice. Call ``look_at`` first."""
    import torch

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a boundary: a stranger's file can make torch raise anything
        reason = "would run code" if "weights_only" in str(error) or "Weights only" in str(error) else "is damaged"
        raise BadVoiceError(reason) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("weight"), dict):
        raise BadVoiceError("is a PyTorch file, but not a voice ready for use: it has no weights under `weight`")
    if checkpoint.get("vocoder", "HiFi-GAN") != "HiFi-GAN":
        raise BadVoiceError("needs a vocoder other than HiFi-GAN, which is not known here")
    if (embedder := checkpoint.get("embedder_model")) not in CONTENTVEC_NAMES:
        raise BadVoiceError(f"was trained with the embedder {embedder!a:.80}, and only ContentVec is known here")
    weights = _named_as_usual(checkpoint["weight"])
    speakers = weights.get("emb_g.weight")
    if not _is_plain(speakers) or speakers is None or speakers.dim() != 2:
        raise BadVoiceError("has no speakers")
    try:
        architecture = Architecture.from_config(
            checkpoint.get("config"), checkpoint.get("version", "v1"), checkpoint.get("f0", 1), len(speakers)
        )
    except ArchitectureError as error:
        raise BadVoiceError(f"is not a voice: {error}") from error
    _check_weights(weights, dict(architecture.shapes()), path.stat().st_size)
    return architecture, weights


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


def _is_plain(weight: Any) -> bool:
    import torch

    return type(weight) is torch.Tensor and weight.layout == torch.strided and weight.device.type == "cpu"


def _check_weights(weights: dict[str, "torch.Tensor"], shapes: dict[str, tuple[int, ...]], file_bytes: int) -> None:
    import torch

    if missing := sorted(shapes.keys() - weights.keys()):
        raise BadVoiceError(f"lacks {len(missing)} weights, {missing[0]} among them")
    if unknown := sorted(weights.keys() - shapes.keys()):
        raise BadVoiceError(f"has {len(unknown)} weights that no voice has, {unknown[0][:80]!a} among them")
    for name, shape in shapes.items():
        weight = weights[name]
        if not _is_plain(weight) or tuple(weight.shape) != shape:
            raise BadVoiceError(f"declares another shape of {name} than it has")
        if weight.dtype not in (torch.float16, torch.bfloat16, torch.float32):
            raise BadVoiceError(f"has numbers of a kind in {name} that no voice has")
        if weight.nbytes > weight.untyped_storage().nbytes():  # one number can stand for many
            raise BadVoiceError("declares more than is in it")
    if sum(weights[name].nbytes for name in shapes) > file_bytes:  # as one tensor can
        raise BadVoiceError("declares more than is in it")
    for name in shapes:
        if not torch.isfinite(weights[name]).all():
            raise BadVoiceError(f"has numbers that are not finite in {name}")


def store_model(architecture: Architecture, weights: dict[str, "torch.Tensor"], folder: Path) -> None:
    """Write the model into ``folder`` as safetensors, with the weights' precision unchanged."""
    from safetensors.torch import save_file

    metadata = {
        "config": json.dumps(architecture.config),
        "version": architecture.version,
        "f0": str(int(architecture.has_pitch)),
    }
    save_file({name: weight.contiguous().clone() for name, weight in weights.items()}, folder / MODEL_FILE, metadata)


def read_stored(voice_folder: Path) -> tuple["dict[str, torch.Tensor]", dict[str, str]]:
    """A stored voice's weights and their safetensors metadata: ``config`` in JSON, ``version``, ``f0``."""
    from safetensors import safe_open

    with safe_open(voice_folder / MODEL_FILE, "np") as model:
        return {name: model.get_tensor(name) for name in model.keys()}, model.metadata()  # noqa: SIM118 - it is not a dict


def write_checkpoint(voice_folder: Path, path: Path) -> None:
    """Write the ``.pth`` that ultimate-rvc loads, from a stored voice's safetensors."""
    import torch

    weights, metadata = read_stored(voice_folder)
    config = json.loads(metadata["config"])
    voice = {
        "weight": weights,
        "config": config,
        "info": "",
        "sr": f"{config[-1] // 1000}k",
        "f0": int(metadata["f0"]),
        "version": metadata["version"],
    }
    torch.save(voice, path)

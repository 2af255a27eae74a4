"""Makes RVC voices that need no training and can be checked by ear: they sing the pitch that they are given.

    python -m tests.rvc.checkable FOLDER

makes FOLDER a folder of models as ultimate-rvc keeps them, with the voice "Checkable" and its index. Random weights
would give a constant; here the decoder lets the sine through that RVC computes from the pitch. What is said is lost.
"""

import argparse
import json
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rvc.synthesizer import FEATURES, architecture

if TYPE_CHECKING:
    import torch

SINE_AMPLITUDE = 0.1  # of the source of every RVC voice
LOUDNESS = 0.4  # of the sine that comes out
CONTENT_GAIN = 0.2  # of each of the decoder's stages: what comes from the features lies far below the sine


def make_voice(
    path: Path,
    *,
    version: str = "v2",
    rate_hz: int = 40_000,
    has_pitch: bool = True,
    speakers: int = 1,
    is_small: bool = True,
    seed: int = 0,
) -> None:
    """Write the ``.pth`` of a voice; without pitch there is no sine, and random weights say nothing sensible."""
    import torch

    network = architecture(version, rate_hz, has_pitch, speakers, is_small)
    random = torch.Generator().manual_seed(seed)
    weights = {name: _weight(name, torch.randn(shape, generator=random)) for name, shape in network.shapes()}
    if has_pitch:
        _let_the_sine_through(weights)
    voice = OrderedDict(
        weight=OrderedDict((name, weight.half()) for name, weight in weights.items()),
        config=network.config,
        info="1epoch",
        sr=f"{rate_hz // 1000}k",
        f0=int(has_pitch),
        version=version,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(voice, path)


def make_index(path: Path, *, dimension: int, vectors: int, seed: int = 0) -> None:
    """Write an IVF-flat index of random features as RVC's training does: (vectors, dimension), float32."""
    import faiss
    import numpy as np

    features = np.random.default_rng(seed).standard_normal((vectors, dimension), np.float32)
    cells = max(1, min(int(16 * vectors**0.5), vectors // 39))
    index = faiss.index_factory(dimension, f"IVF{cells},Flat")
    faiss.extract_index_ivf(index).nprobe = 1
    index.train(features)
    index.add(features)
    path.parent.mkdir(parents=True, exist_ok=True)
    faiss.write_index(index, str(path))


def make_assets(models_dir: Path, is_small: bool = True) -> None:
    """Put under ``models_dir`` what every voice needs: a random ContentVec, and FCPE's real weights."""
    predictors = models_dir / "rvc" / "predictors"
    predictors.mkdir(parents=True, exist_ok=True)
    weights = Path(find_spec("torchfcpe").origin).parent / "assets" / "fcpe_c_v001.pt"
    shutil.copyfile(weights, predictors / "fcpe.pt")
    make_contentvec(models_dir / "rvc" / "embedders" / "contentvec", is_small=is_small)


def _weight(name: str, noise: "torch.Tensor") -> "torch.Tensor":
    """A weight from normal noise, so that no layer explodes and the decoder stays quiet."""
    import torch

    kind = name.rpartition(".")[2]
    if kind in ("bias", "beta"):
        return torch.zeros_like(noise)
    if kind == "gamma":
        return torch.ones_like(noise)
    if kind == "weight_g":
        return torch.full_like(noise, CONTENT_GAIN if name.startswith("dec.") else 1.0)
    if name == "emb_g.weight":
        return noise
    if name.endswith(".post.weight"):
        return 0.05 * noise  # a fresh flow has zeros here and changes nothing
    return noise * noise[0].numel() ** -0.5


def _let_the_sine_through(weights: dict[str, "torch.Tensor"]) -> None:
    """The last stage takes the source to each half of its channels, once turned over; conv_post reads the difference.

    Leaky ReLU keeps the positive part of one and, of the other, the negative one: together the whole sine.
    """
    noise_convs = sorted(name for name in weights if name.startswith("dec.noise_convs.") and name.endswith(".weight"))
    for name in noise_convs:
        weights[name] *= 0.01
    weights["dec.m_source.l_linear.weight"].fill_(1.0)
    half = len(weights[noise_convs[-1]]) // 2
    last, post = weights[noise_convs[-1]], weights["dec.conv_post.weight"]
    last[:half], last[half:] = 1.0, -1.0
    post.zero_()
    post[0, :half, 3] = LOUDNESS / SINE_AMPLITUDE / half
    post[0, half:, 3] = -LOUDNESS / SINE_AMPLITUDE / half


def make_contentvec(folder: Path, *, is_small: bool, layers: int = 12) -> None:
    """A HuBERT of ContentVec's outputs (768, and 256 for v1), stride and receptive field; the small one is thin."""
    import torch
    from transformers import HubertConfig, HubertModel

    few = {"conv_dim": (16,) * 7, "num_hidden_layers": 1, "intermediate_size": 16, "num_conv_pos_embeddings": 16}
    size = few if is_small else {"num_hidden_layers": layers}
    config = HubertConfig(classifier_proj_size=FEATURES["v1"], **size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = HubertModel(config)
        model.final_proj = torch.nn.Linear(config.hidden_size, config.classifier_proj_size)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(config.to_dict()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.rvc.checkable", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args(arguments).folder
    voice = folder / "rvc" / "voice_models" / "Checkable"
    make_assets(folder)
    make_voice(voice / "Checkable.pth")
    make_index(voice / "Checkable.index", dimension=FEATURES["v2"], vectors=2000)
    print(f"{voice / 'Checkable.pth'} needs the pitch method fcpe where the backend is batch.")


if __name__ == "__main__":
    main()

"""ContentVec (Qian et al., 2022), which extracts what is said, as transformers' HuBERT."""

from pathlib import Path

from torch import Tensor, nn

from rwc_pw.rvc.network.stored import tensors
from rwc_pw.rvc.weights import read_weights
from rwc_pw.voices.architecture import FEATURES


class Content(nn.Module):
    """Sound at 16 kHz, (1, n), to features (1, frames, 256 or 768), one every 20 ms."""

    def __init__(self, folder: Path, version: str) -> None:
        from transformers import HubertConfig, HubertModel

        super().__init__()
        config = HubertConfig.from_pretrained(folder)
        config._attn_implementation = "eager"
        self._hubert = HubertModel(config)
        weights = tensors(read_weights(folder / "pytorch_model.bin"))
        own = {name: weight for name, weight in weights.items() if not name.startswith("final_proj.")}
        self._hubert.load_state_dict(own, strict=False)
        self._projection = nn.Identity()
        if version == "v1":
            self._projection = nn.Linear(config.hidden_size, FEATURES["v1"])
            self._projection.load_state_dict({part: weights[f"final_proj.{part}"] for part in ("weight", "bias")})

    def forward(self, sound: Tensor) -> Tensor:
        return self._projection(self._hubert(sound).last_hidden_state)

"""StreamingConverter on the CPU, in a process that cannot import torch, or what needs it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.needs_rvc

SPEAK = """
import sys
sys.modules.update(dict.fromkeys(("torch", "transformers", "torchfcpe", "ultimate_rvc")))  # importing them raises

from pathlib import Path
import numpy as np
from rwc_pw.streaming import ConversionConfig, StreamingConverter
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore

voice, assets, folder = map(Path, sys.argv[1:])
store = VoiceStore(folder)
add_voice(voice, store)
converter = StreamingConverter(
    ConversionConfig(model_path=folder / "Checkable", assets_dir=assets, backend="streaming", chunk_size=4800)
)
converter.initialize()
sound = 0.1 * np.sin(np.arange(48_000) * 2 * np.pi * 170 / 48_000).astype(np.float32)
heard = np.concatenate([converter.convert_chunk(chunk) for chunk in sound.reshape(-1, 4800)])
print(np.abs(heard[-4800:]).max() > 0.01)
"""


def test_a_voice_is_added_built_and_speaks(voice_file, assets_dir, tmp_path):
    program = (sys.executable, "-c", SPEAK, str(voice_file), str(assets_dir), str(tmp_path))
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr

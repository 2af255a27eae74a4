"""ultimate-rvc's own ``convert``, in a process of its own: its paths are fixed when it is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

WORKER = """
import json, sys
import torch  # before ultimate-rvc, whose lazy modules break it otherwise
from ultimate_rvc.core.generate.common import _get_rvc_files, _get_voice_converter, convert

answers, sys.stdout = sys.stdout, sys.stderr  # torchfcpe prints
converter = _get_voice_converter()
converter.load_hubert("contentvec")
converter.last_embedder_model = "contentvec"
for line in sys.stdin:
    question = json.loads(line)
    converter.get_vc(str(_get_rvc_files(question["model_name"])[0]), 0)  # loading draws random numbers, too
    torch.manual_seed(0)
    print(convert(**question), file=answers, flush=True)
"""


class Reference:
    """The folder of models ``models_dir``, everything it writes below ``folder``."""

    def __init__(self, models_dir: Path, folder: Path) -> None:
        self._folder = folder
        environment = {
            **os.environ,
            "URVC_MODELS_DIR": str(models_dir),
            "URVC_NO_LOGGING": "1",
            "OMP_NUM_THREADS": "1",
        }
        self._worker = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def convert(self, audio: Path, voice: str, **parameters: object) -> Path:
        """The file with ``audio`` in ``voice``; the parameters are ultimate-rvc's.

        The same question has the same answer, whatever was asked before.
        """
        question = {"audio_track": str(audio), "directory": str(self._folder), "model_name": voice, **parameters}
        print(json.dumps(question), file=self._worker.stdin, flush=True)
        answer = self._worker.stdout.readline()
        assert answer, "ultimate-rvc failed: its traceback is on standard error"
        return Path(answer.rstrip("\n"))

    def close(self) -> None:
        self._worker.communicate()

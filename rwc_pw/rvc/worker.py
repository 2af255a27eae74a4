"""The process around ultimate-rvc: a request on each line of standard input, answers on standard output."""

import functools
import inspect
import itertools
import json
import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

VOICE_NAME = "voice"
SEED = 0  # a file is converted alike every time
WARM_UP_S = 0.5
LIVE_PADDING_S = 0.2  # instead of 1 s on each side; what was said before is there already
SEGMENT_S = 38  # ultimate-rvc converts so much at a time, and may tell how far it is


class Worker:
    """One voice in ultimate-rvc."""

    def __init__(self, request: dict[str, Any], tell_progress: Callable[[float], None]) -> None:
        import torch  # before ultimate-rvc, whose lazy modules break its import
        from ultimate_rvc.core.generate import common

        from rwc_pw.rvc.weights import read_weights
        from rwc_pw.voices.checkpoint import write_checkpoint
        from rwc_pw.voices.rvc_voice import INDEX_FILE

        self._torch = torch
        self._common = common
        self._is_live = request["live"]
        self._tell_progress = tell_progress
        scratch, stored = Path(request["scratch"]), Path(request["voice"])
        self._folders = (scratch / f"converted-{number}" for number in itertools.count())
        voice = Path(os.environ["URVC_VOICE_MODELS_DIR"], VOICE_NAME)
        voice.mkdir(parents=True)
        write_checkpoint(stored, voice / f"{VOICE_NAME}.pth")
        if (stored / INDEX_FILE).exists():
            (voice / f"{VOICE_NAME}.index").symlink_to(stored / INDEX_FILE)
        models = Path(os.environ["URVC_MODELS_DIR"], "rvc")
        for shared in ("embedders/contentvec/pytorch_model.bin", f"predictors/{request['settings']['f0_method']}.pt"):
            read_weights(models / shared)
        if self._is_live:
            _keep_what_is_loaded()
        self._convert(_noise(scratch / "warm-up.wav"), request["settings"])
        if self._is_live:
            _pad_less(common._get_voice_converter())
        else:
            self._follow(common._get_voice_converter().vc)

    def convert(self, request: dict[str, Any]) -> str:
        """The file that its sound becomes, alone in its folder but for what ultimate-rvc notes of it."""
        if not self._is_live:
            self._torch.manual_seed(SEED)
        self._segments_done = 0
        return self._convert(request["sound"], request["settings"])

    def _convert(self, sound: str, settings: dict[str, Any]) -> str:
        folder = next(self._folders)  # a new one: a result that ultimate-rvc kept is never taken for this one
        known = _as_known(self._common.convert, settings)
        return str(self._common.convert(sound, folder, VOICE_NAME, make_directory=True, **known))

    def _follow(self, pipeline: Any) -> None:
        """Tell how many of the segments of a file are done."""
        convert_segment = pipeline.voice_conversion

        def convert_and_tell(*arguments: Any) -> Any:
            converted = convert_segment(*arguments)
            self._segments_done += 1
            self._tell_progress(self._segments_done * SEGMENT_S)
            return converted

        pipeline.voice_conversion = convert_and_tell


def _as_known(convert: Callable[..., object], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings by the names that this ultimate-rvc has: before 0.6, several pitch methods could be mixed."""
    if "f0_method" in inspect.signature(convert).parameters:
        return settings
    others = {key: value for key, value in settings.items() if key != "f0_method"}
    return {**others, "f0_methods": [settings["f0_method"]]}


def _keep_what_is_loaded() -> None:
    """Load the pitch model once instead of for every chunk, and run no ffprobe on a WAV of our own.

    Measured on 85 ms, 2 threads: 2.9 s become 1.9 s. Before 0.6 ultimate-rvc keeps the pitch model itself.
    """
    import pydub.utils
    from ultimate_rvc.rvc.infer import pipeline

    pydub.utils.mediainfo = lambda _: {"format_name": "wav"}
    for name in ("RMVPE", "FCPE"):
        if hasattr(pipeline, name):
            setattr(pipeline, name, functools.cache(getattr(pipeline, name)))


def _pad_less(converter: Any) -> None:
    """1.9 s become 0.7 s."""
    converter.vc.t_pad = round(LIVE_PADDING_S * converter.vc.sample_rate)
    converter.vc.t_pad2 = 2 * converter.vc.t_pad
    converter.vc.t_pad_tgt = round(LIVE_PADDING_S * converter.tgt_sr)


def _noise(path: Path) -> str:
    """A sound by which everything is loaded; what is loaded draws random numbers, and none are left to draw later."""
    import numpy as np
    import soundfile

    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, round(WARM_UP_S * 16_000)), 16_000)
    return str(path)


def main() -> None:
    """Until standard input ends: then whoever fed it is gone, and all files go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # ultimate-rvc prints

    def answer(**message: object) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        worker = Worker(requests.get(), lambda done_s: answer(progress_s=done_s))
        answer(done="")
    except Exception as error:  # the edge: whatever fails is told to whoever asked
        answer(error=_sentence(error))
        return
    while True:
        request = requests.get()
        try:
            answer(done=worker.convert(request))
        except Exception as error:  # the edge, again
            answer(error=_sentence(error))


def _read(requests: "queue.SimpleQueue[dict[str, Any]]") -> None:
    scratch = ""
    for line in sys.stdin:
        request = json.loads(line)
        scratch = request.get("scratch", scratch)
        requests.put(request)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)  # the main thread may be converting


def _sentence(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


if __name__ == "__main__":
    main()

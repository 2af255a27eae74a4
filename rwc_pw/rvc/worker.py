"""The process around ultimate-rvc: one request per line of standard input, answers on standard output."""

import functools
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
SEED = 0  # a file is converted identically every time
WARM_UP_S = 0.5
LIVE_PADDING_S = 0.2  # instead of 1 s on each side; the preceding sound is included already
SEGMENT_S = 38  # ultimate-rvc converts this much at a time; after each, progress can be reported


class Worker:
    """One voice in ultimate-rvc."""

    def __init__(self, request: dict[str, Any], tell_progress: Callable[[float], None]) -> None:
        import torch  # before ultimate-rvc, whose lazy modules would break its import
        from ultimate_rvc.core.generate import common

        from rwc_pw.rvc.assets import contentvec_folder
        from rwc_pw.rvc.checkpoint_writer import write_checkpoint
        from rwc_pw.rvc.detectors import detector_named
        from rwc_pw.rvc.weights import read_weights
        from rwc_pw.voices.index import VoiceIndex
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
            VoiceIndex.read(stored / INDEX_FILE)  # raises for what would crash faiss
            (voice / f"{VOICE_NAME}.index").symlink_to(stored / INDEX_FILE)
        models = Path(os.environ["URVC_MODELS_DIR"])
        read_weights(contentvec_folder(models) / "pytorch_model.bin")
        if weights := detector_named(request["settings"]["f0_method"]).weights(models):
            read_weights(weights)
        if self._is_live:
            _keep_what_is_loaded()
        self._convert(_noise(scratch / "warm-up.wav"), request["settings"])
        if self._is_live:
            _pad_less(common._get_voice_converter())
        else:
            self._follow(common._get_voice_converter().vc)

    def convert(self, request: dict[str, Any]) -> str:
        """The converted file, alone in its folder except for ultimate-rvc's notes on it."""
        if not self._is_live:
            self._torch.manual_seed(SEED)
        self._segments_done = 0
        return self._convert(request["sound"], request["settings"])

    def _convert(self, sound: str, settings: dict[str, Any]) -> str:
        folder = next(self._folders)  # a new one, so that ultimate-rvc never returns an earlier, cached result
        return str(self._common.convert(sound, folder, VOICE_NAME, make_directory=True, **settings))

    def _follow(self, pipeline: Any) -> None:
        """Report how many seconds of a file are done, after each segment."""
        convert_segment = pipeline.voice_conversion

        def convert_and_tell(*arguments: Any) -> Any:
            converted = convert_segment(*arguments)
            self._segments_done += 1
            self._tell_progress(self._segments_done * SEGMENT_S)
            return converted

        pipeline.voice_conversion = convert_and_tell


def _keep_what_is_loaded() -> None:
    """Load the pitch model once instead of for every chunk, and skip ffprobe for our own WAV files.

    Measured for 85 ms on 2 threads: 1.9 s instead of 2.9 s.
    """
    import pydub.utils
    from ultimate_rvc.rvc.infer import pipeline

    pydub.utils.mediainfo = lambda _: {"format_name": "wav"}
    for name in ("RMVPE", "FCPE"):
        setattr(pipeline, name, functools.cache(getattr(pipeline, name)))


def _pad_less(converter: Any) -> None:
    """Shorten the padding: 0.7 s instead of 1.9 s."""
    converter.vc.t_pad = round(LIVE_PADDING_S * converter.vc.sample_rate)
    converter.vc.t_pad2 = 2 * converter.vc.t_pad
    converter.vc.t_pad_tgt = round(LIVE_PADDING_S * converter.tgt_sr)


def _noise(path: Path) -> str:
    """A sound whose conversion loads everything; loading draws random numbers, which must not happen later."""
    import numpy as np
    import soundfile

    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, round(WARM_UP_S * 16_000)), 16_000)
    return str(path)


def main() -> None:
    """Serve until standard input ends: then the parent is gone, and all files are removed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # ultimate-rvc prints to standard output

    def answer(**message: object) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        worker = Worker(requests.get(), lambda done_s: answer(progress_s=done_s))
        answer(done="")
    except Exception as error:  # the boundary: every failure is reported to the parent
        answer(error=_sentence(error))
        return
    while True:
        request = requests.get()
        try:
            answer(done=worker.convert(request))
        except Exception as error:  # likewise
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

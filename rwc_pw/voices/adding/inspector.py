"""The process that reads strangers' files, after limiting its own resources."""

import json
import os
import resource
import sys
from pathlib import Path

from rwc_pw.voices.adding.source import LARGEST_FILE_BYTES
from rwc_pw.voices.architecture import FEATURES
from rwc_pw.voices.checkpoint import BadVoiceError, read_checkpoint, store_model
from rwc_pw.voices.index import BadIndexError, VoiceIndex
from rwc_pw.voices.rvc_voice import INDEX_FILE

LONGEST_CPU_S = 120
MOST_OPEN_FILES = 128
MEMORY_BYTES = 256 << 20  # for the objects that the largest pickle can make, 100 MB, and for blocks of numbers
MEMORY_PER_MODEL_BYTE = 4  # where bfloat16 becomes float32, and safetensors copies that


def main() -> None:
    """Read a request from standard input, write the answer to standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to standard output
    request = json.load(sys.stdin)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, LONGEST_CPU_S)
    _limit(resource.RLIMIT_FSIZE, LARGEST_FILE_BYTES)
    _limit(resource.RLIMIT_NOFILE, MOST_OPEN_FILES)
    try:
        answer = inspect(Path(request["model"]), request["index"] and Path(request["index"]), Path(request["folder"]))
    except BadVoiceError as error:
        answer = {"problem": str(error)}
    except MemoryError:
        answer = {"problem": "needs more memory than any voice"}
    answers.write(json.dumps(answer))
    answers.flush()


def inspect(model: Path, index: Path | None, folder: Path) -> dict[str, object]:
    """Check a voice and its index, and write their stored form into ``folder``; ``BadVoiceError`` for a bad voice.

    A bad index is left out; ``index_problem`` says why, as the end of a sentence.
    """
    _limit(resource.RLIMIT_AS, _mapped_bytes() + _needed_bytes(model, index))
    architecture, weights = read_checkpoint(model)
    store_model(architecture, weights, folder)
    index_problem = ""
    if index:
        try:
            _store_index(index, FEATURES[architecture.version], folder)
        except BadIndexError as error:
            index_problem = f"comes with {error}"
    return {
        "index_problem": index_problem,
        "version": architecture.version,
        "sample_rate_hz": architecture.sample_rate_hz,
        "has_pitch": architecture.has_pitch,
        "speakers": architecture.speakers,
    }


def _store_index(path: Path, features: int, folder: Path) -> None:
    index = VoiceIndex.read(path)
    if index.width != features:
        raise BadIndexError(f"an index of {index.width} features, but its own are {features}")
    index.write(folder / INDEX_FILE)


def _needed_bytes(model: Path, index: Path | None) -> int:
    """Memory for a voice of these files; the index is mapped."""
    return MEMORY_BYTES + MEMORY_PER_MODEL_BYTE * model.stat().st_size + (index.stat().st_size if index else 0)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


def _mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

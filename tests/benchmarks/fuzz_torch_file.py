"""Changes PyTorch's files and reads them: python -m tests.benchmarks.fuzz_torch_file SECONDS [--seed SEED].

Prints how many files it read, how many were refused and why, the longest time for one and the most memory. Ends with 1,
and leaves the file as ``fuzz-SEED-NUMBER.pth`` in the working folder, where reading raised anything but
``BadTorchFileError``, took 5 s, imported a module, or opened, started or compiled something.
"""

import argparse
import codecs
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rwc_pw.voices.tensors import KINDS, BadTorchFileError
from rwc_pw.voices.torch_file import read_torch_file
from tests.voices.torch_files import ORDERED, REBUILD, Code, opcodes, pickled, storage, tensor, write_older, write_zip

LONGEST_S = 5.0
STORED = bytes(range(96))
WATCHED = ("import", "exec", "compile", "open", "os.", "subprocess.", "ctypes.", "socket.", "shutil.", "pickle.")
TEXTS = "ascii", "cp437", "latin-1", "raw_unicode_escape", "utf-8"  # whose modules Python imports when it meets them
PROGRAM = [
    *(bytes([code]) for code in range(256)),
    *(b"K" + bytes([number]) for number in (0, 1, 2, 24, 255)),
    *(letter + bytes([place]) for letter in (b"q", b"h") for place in range(4)) ,
    *(opcodes(value) for value in (0, -1, 1 << 31, 1 << 62, 0.5, "storage", "0", "cpu", (2, 3), (3, 1), {"a": 1}, [1])),
    *(f"ctorch\n{kind}Storage\n".encode() for kind in KINDS),
    *(storage(kind, "0", count).content for kind in ("Float", "BFloat16", "Bool") for count in (0, 24, 48, 1 << 33)),
    tensor(storage("Float", "0", 24), 0, (2, 3), (3, 1)).content,
    REBUILD,
    ORDERED,
    b"ctorch\nSize\n",
    b"cos\nsystem\n",
    b"X\xff\xff\xff\x7f",
    b"r\xff\xff\xff\xff",
    b"\x95" + bytes(7) + b"\x7f",
]  # fmt: skip


def voice_like() -> bytes:
    """A pickle that has all that a voice's has."""
    turned = tensor(storage("Half", "0", 48), 3, (4, 5), (1, 4))
    parameter = Code(b"ctorch._utils\n_rebuild_parameter\n" + opcodes((turned, True, Code(ORDERED))) + b"R")
    weight = {f"layer.{number}.weight": part for number, part in enumerate([turned, parameter] * 3)}
    state = Code(ORDERED + opcodes(weight)[1:] + opcodes({"_metadata": Code(ORDERED)}) + b"b")
    return pickled({"weight": state, "config": [1025, 32, 0.1, "1", [3, [1, 3]]], "info": None, "f0": 1, "sr": "40k"})


def changed(content: bytes, chance: random.Random) -> bytes:
    """The same with a few bytes changed, added, left out or repeated."""
    other = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at, length = chance.randrange(len(other) + 1), chance.choice((0, 1, 1, 2, 4, 8, 30))
        start = chance.randrange(len(other) + 1)
        put = chance.choice((chance.randbytes(length), chance.choice(PROGRAM), bytes(other[start : start + length])))
        other[at : at + chance.choice((0, length, len(put)))] = put
    return bytes(other)


def program(chance: random.Random) -> bytes:
    return b"\x80\x02" + b"".join(chance.choices(PROGRAM, k=chance.randrange(1, 60))) + b"."


def make(path: Path, chance: random.Random) -> None:
    """Write one changed file."""
    pickle = chance.choice((voice_like, lambda: changed(voice_like(), chance), lambda: program(chance)))()
    if chance.random() < 0.5:
        write_zip(path, pickle, {"0": STORED})
    else:
        write_older(path, pickle, [("0", chance.choice((48, 24, 96)), STORED)])
    if chance.random() < 0.4:
        path.write_bytes(changed(path.read_bytes(), chance))


class Watch:
    """Notes what Python does while a file is read, beside opening it."""

    def __init__(self) -> None:
        self.is_on, self.path, self.seen = False, "", list[str]()
        for name in TEXTS:
            codecs.lookup(name)
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.is_on or not event.startswith(WATCHED):
            return
        if event != "open" or str(arguments[0]) != self.path:
            self.seen.append(f"{event} {arguments!r:.200}")

    def read(self, path: Path) -> str:
        """Why the file was refused, or that it was not."""
        self.path, self.is_on = str(path), True
        try:
            read_torch_file(path)
            return "is read"
        except BadTorchFileError as error:
            return str(error)
        finally:
            self.is_on = False


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fuzz_torch_file", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, watch, answers, longest_s = random.Random(options.seed), Watch(), Counter[str](), 0.0
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path, end = Path(folder, "x.pth"), time.monotonic() + options.seconds
        while time.monotonic() < end:
            make(path, chance)
            begun, problem = time.process_time(), ""
            try:
                answers[watch.read(path)] += 1
            except Exception as error:  # what it looks for
                problem = f"{type(error).__name__}: {error}"
            took_s = time.process_time() - begun
            longest_s = max(longest_s, took_s)
            problem = problem or "; ".join(watch.seen) or ("" if took_s < LONGEST_S else f"took {took_s:.1f} s")
            watch.seen.clear()
            if problem:
                left = Path(f"fuzz-{options.seed}-{answers.total()}.pth")
                left.write_bytes(path.read_bytes())
                failures.append(f"{left}: {problem}")
    print(f"{answers.total()} files, the longest {longest_s:.3f} s, at most {most_memory_mb():.0f} MB")
    for answer, count in answers.most_common():
        print(f"{count:9} {answer}")
    sys.exit("\n".join(failures))


def most_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

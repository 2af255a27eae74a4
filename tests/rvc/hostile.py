"""Files that pretend to be voices: what runs code when it is unpickled, what is damaged, and what lies about itself."""

import copy
import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COMMAND = "touch {canary}"
CODE = "open({canary!r}, 'w').close()"


def gadgets(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Pickles that would leave ``canary``, by every way that a pickle has to a function."""
    command, code = COMMAND.format(canary=canary), CODE.format(canary=str(canary))
    for module, name, arguments in (
        ("os", "system", (command,)),
        ("posix", "system", (command,)),
        ("subprocess", "Popen", (["touch", str(canary)],)),
        ("subprocess", "getoutput", (command,)),
        ("builtins", "eval", (code,)),
        ("builtins", "exec", (code,)),
        ("builtins", "open", (str(canary), "w")),
        ("__builtin__", "eval", (code,)),
        ("runpy", "_run_code", (code, {})),
        ("pty", "spawn", (["touch", str(canary)],)),
        ("timeit", "timeit", (code,)),
        ("code", "interact", ()),
        ("importlib", "import_module", ("antigravity",)),
        ("torch.hub", "load", ("x", "y")),
        ("torch", "load", (str(canary),)),
        ("torch.serialization", "load", (str(canary),)),
        ("torch._utils_internal", "prepare_multiprocessing_environment", ()),
        ("torch.utils.collect_env", "run", (command,)),
        ("numpy", "load", (str(canary),)),
        ("numpy.testing._private.utils", "runstring", (code, {})),
        ("pathlib", "Path", (str(canary),)),
        ("shutil", "copyfile", ("/etc/hostname", str(canary))),
        ("codecs", "open", (str(canary), "w")),
        ("pickle", "loads", (pickle.dumps(0),)),
        ("types", "FunctionType", ()),
        ("ctypes", "CDLL", ("libc.so.6",)),
        ("functools", "partial", (print, 1)),
    ):
        yield f"{module}.{name}", _reduce(module, name, arguments)
    yield "GLOBAL and REDUCE, protocol 0", f"cos\nsystem\n(S'{command}'\ntR.".encode()
    yield "INST", f"(S'{command}'\nios\nsystem\n.".encode()
    yield "OBJ", f"(cos\nsystem\nS'{command}'\no.".encode()
    yield "NEWOBJ", f"\x80\x02csubprocess\nPopen\n(S'{command}'\nt\x81.".encode("latin-1")
    yield "NEWOBJ_EX", b"\x80\x04csubprocess\nPopen\n(" + _text(command) + b"t}\x92."
    yield (
        "BUILD",
        b"\x80\x02ccollections\nOrderedDict\n)R}("
        + _text("__setstate__")
        + b"cos\nsystem\nsb"
        + _text(command)
        + b"b.",
    )
    yield (
        "STACK_GLOBAL of a text from the memo",
        b"\x80\x04" + _text("os") + b"\x94" + _text("system") + b"\x93(" + _text(command) + b"tR.",
    )
    yield "EXT1", b"\x80\x02\x82\x01."
    yield "a dotted name", _reduce("torch", "os.system", (command,))
    yield (
        "a persistent id of its own",
        b"\x80\x02(" + _text("storage") + b"cos\nsystem\n" + _text("0") + _text("cpu") + b"K\x01tQ.",
    )
    yield "getattr", _reduce("builtins", "getattr", (1, "__class__"))
    yield "a rebuilt object", _reduce("copyreg", "_reconstructor", ())
    yield "gigabytes", b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R."
    yield "gigabytes by an older name", b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R."
    yield "a number of many digits", b"I" + b"9" * 6000 + b"\n."
    yield "nested without end", b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b"."
    yield "a text without end", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"x."
    yield "a number without end", b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"1."
    yield "nothing", b""
    yield "no end", b"\x80\x02}"


def with_pickle(voice: Path, target: Path, pickled: bytes) -> None:
    """A copy of ``voice`` with another pickle in it."""
    with zipfile.ZipFile(voice) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            content = pickled if entry.filename.endswith("/data.pkl") else source.read(entry)
            archive.writestr(entry.filename, content)


def lies(checkpoint: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a file may hold that unpickles well and is no voice."""
    import torch

    def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        other = {**checkpoint, "weight": dict(checkpoint["weight"]), "config": copy.deepcopy(checkpoint["config"])}
        change(other)
        return other

    def weight(name: str, make: Callable[[torch.Tensor], Any]) -> dict[str, Any]:
        return changed(lambda voice: voice["weight"].update({name: make(voice["weight"][name])}))

    def config(at: int, value: Any) -> dict[str, Any]:
        return changed(lambda voice: voice["config"].__setitem__(at, value))

    yield "a list", [1, 2, 3]
    yield "a tensor", torch.zeros(3)
    yield "no weights", changed(lambda voice: voice.pop("weight"))
    yield "weights in a list", changed(lambda voice: voice.update(weight=[1]))
    yield "training state", {"model": checkpoint["weight"], "optimizer": {}}
    yield "a weight is missing", changed(lambda voice: voice["weight"].pop("dec.conv_pre.bias"))
    yield "another embedder", changed(lambda voice: voice.update(embedder_model="japanese-hubert-base"))
    yield "a list for an embedder", changed(lambda voice: voice.update(embedder_model=["contentvec"]))
    yield "a tensor for an embedder", changed(lambda voice: voice.update(embedder_model=torch.ones(3)))
    yield "a list that is long to tell", changed(lambda voice: voice.update(embedder_model=endless()))
    yield "a tensor for a vocoder", changed(lambda voice: voice.update(vocoder=torch.ones(3)))
    yield "no speakers", changed(lambda voice: voice["weight"].pop("emb_g.weight"))
    yield "one weight more", changed(lambda voice: voice["weight"].update(extra=torch.zeros(1)))
    yield "a number for a name", changed(lambda voice: voice["weight"].update({1: torch.zeros(1)}))
    yield "another shape", weight("dec.conv_pre.bias", lambda old: old[:-1])
    yield "a number for a tensor", weight("dec.conv_pre.bias", lambda _: 1.0)
    yield "NaN", weight("dec.conv_pre.bias", lambda old: old * float("nan"))
    yield "infinity", weight("flow.flows.0.pre.weight", lambda old: old + float("inf"))
    yield "whole numbers", weight("dec.conv_pre.bias", lambda old: old.long())
    yield "complex numbers", weight("dec.conv_pre.bias", lambda old: old.to(torch.complex64))
    yield "a sparse tensor", weight("dec.conv_pre.bias", lambda old: old.float().to_sparse())
    yield "one number for all", weight("dec.conv_pre.weight", lambda old: old.flatten()[:1].clone().expand(old.shape))
    yield "one tensor for all", changed(lambda voice: voice["weight"].update(shared(voice["weight"])))
    yield "a tensor without numbers", weight("dec.conv_pre.bias", lambda old: old.to("meta"))
    yield "no config", changed(lambda voice: voice.pop("config"))
    yield "a short config", changed(lambda voice: voice.update(config=voice["config"][:-1]))
    yield "a gigantic config", config(2, 1 << 40)
    yield "a negative config", config(2, -192)
    yield "a text in the config", config(2, "192")
    yield "true in the config", config(6, True)
    yield "lists without end in the config", config(10, list(range(1, 1000)))
    yield "another rate", config(17, 44_100)
    yield "other upsampling", config(12, [10, 10, 2, 3])
    yield "resblocks of kind 2", config(9, "2")
    yield "a third version", changed(lambda voice: voice.update(version="v3"))
    yield "the other version", changed(lambda voice: voice.update(version="v1"))
    yield "a list for a version", changed(lambda voice: voice.update(version=["v2"]))
    yield "a tensor in the config", config(9, torch.ones(3))
    yield "a tensor for the pitch", changed(lambda voice: voice.update(f0=torch.ones(3)))
    yield "pitch two", changed(lambda voice: voice.update(f0=2))
    yield "no pitch with pitch weights", changed(lambda voice: voice.update(f0=0))
    yield "another vocoder", changed(lambda voice: voice.update(vocoder="RefineGAN"))


def shared(weights: dict[str, Any]) -> dict[str, Any]:
    """All weights as views of one tensor, as long as the longest."""
    import torch

    longest = torch.zeros(max(weight.numel() for weight in weights.values()))
    return {name: longest[: weight.numel()].reshape(weight.shape) for name, weight in weights.items()}


def endless() -> list[Any]:
    """A list that is small, and long to write out."""
    lists: list[Any] = []
    for _ in range(100):
        lists = [lists, lists]
    return lists


def _reduce(module: str, name: str, arguments: tuple[Any, ...]) -> bytes:
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 4)
    pickler.dump(arguments)
    pickled_arguments = stream.getvalue()
    body = pickled_arguments[2:-1]
    if body[:1] == b"\x95":  # FRAME
        body = body[9:]
    return b"\x80\x04" + _text(module) + _text(name) + b"\x93" + body + b"R."


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded

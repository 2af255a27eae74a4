"""PyTorch's files, written by hand: true ones, and those that torch would never write."""

import struct
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
ORDERED = b"ccollections\nOrderedDict\n)R"


@dataclass(frozen=True)
class Code:
    """Opcodes as they are."""

    content: bytes


def storage(kind: str, key: str, count: int, *more: object) -> Code:
    described = ("storage", Code(f"ctorch\n{kind}Storage\n".encode()), key, "cpu", count, *more)
    return Code(opcodes(described) + b"Q")


def tensor(stored: Code, offset: int, size: Iterable[int], strides: Iterable[int]) -> Code:
    return called(REBUILD, stored, offset, tuple(size), tuple(strides), False, Code(ORDERED))


def called(name: bytes, *arguments: object) -> Code:
    return Code(name + opcodes(arguments) + b"R")


def pickled(value: object) -> bytes:
    return b"\x80\x02" + opcodes(value) + b"."


def opcodes(value: object) -> bytes:
    """What makes the value, as torch's pickles do."""
    match value:
        case Code(content):
            return content
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            length = value.bit_length() // 8 + 1
            return b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case dict():
            return b"}(" + b"".join(opcodes(part) for item in value.items() for part in item) + b"u"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
    raise TypeError(value)


def write_zip(
    path: Path, pickle: bytes, storages: Mapping[str, bytes], more: Mapping[str, bytes] | None = None
) -> Path:
    """Write the form of today; ``more`` are its other entries."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        for name, content in (more if more is not None else {"byteorder": b"little", "version": b"3\n"}).items():
            archive.writestr(f"archive/{name}", content)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def write_older(
    path: Path,
    pickle: bytes,
    storages: Iterable[tuple[str, int, bytes]],
    *,
    version: object = VERSION,
    system: object = SYSTEM,
    keys: object = None,
) -> Path:
    """Write the form of before 2020; each storage has its key, its number of numbers, and these."""
    stored = list(storages)
    named = keys if keys is not None else [key for key, _, _ in stored]
    heads = pickled(MAGIC) + pickled(version) + pickled(system) + pickle + pickled(named)
    path.write_bytes(heads + b"".join(struct.pack("<q", count) + content for _, count, content in stored))
    return path

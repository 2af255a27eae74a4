"""Tensors as PyTorch's files describe them: views of storages, whose numbers lie elsewhere in the file."""

import math
from collections.abc import Callable, ItemsView, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]

MOST_DIMENSIONS = 8
MOST_NUMBERS = 1 << 31
BLOCK_NUMBERS = 1 << 18

KINDS: Mapping[str, tuple[str, str]] = {  # of numbers: how they are stored, and as what they are given
    "BFloat16": ("<u2", "<f4"),  # widened: numpy has no such numbers, and float32 has all of them
    "Half": ("<f2", "<f2"),
    "Float": ("<f4", "<f4"),
    "Double": ("<f8", "<f8"),
    "Char": ("i1", "i1"),
    "Byte": ("u1", "u1"),
    "Short": ("<i2", "<i2"),
    "Int": ("<i4", "<i4"),
    "Long": ("<i8", "<i8"),
    "Bool": ("u1", "?"),  # numpy's must be 0 or 1, and these may be anything
}


class BadTorchFileError(ValueError):
    """The file does not hold weights; the message says why, as the end of a sentence that begins with its name."""


DAMAGED = "is damaged"
TOO_MUCH = "declares more than is in it"


@dataclass(frozen=True)
class Name:
    """Something of Python's or torch's that a pickle refers to; it stands for itself, and cannot be called."""

    text: str


@dataclass(frozen=True)
class Storage:
    """Numbers of one kind, one after another, as many as the file says there are; nothing until they are filled in."""

    kind: str
    numbers: NDArray[Any]

    @property
    def stored_bytes(self) -> int:
        return len(self.numbers) * np.dtype(KINDS[self.kind][0]).itemsize

    def fill(self, file: IO[bytes]) -> None:
        """Read the numbers from where ``file`` is."""
        stored = np.dtype(KINDS[self.kind][0])
        for start in range(0, len(self.numbers), BLOCK_NUMBERS):
            block = self.numbers[start : start + BLOCK_NUMBERS]
            content = file.read(len(block) * stored.itemsize)
            if len(content) != len(block) * stored.itemsize:
                raise BadTorchFileError("is cut short")
            numbers = np.frombuffer(content, stored)
            block[:] = widened(numbers) if self.kind == "BFloat16" else numbers


class Storages:
    """The storages of one file, by their keys: together not larger than the file."""

    def __init__(self, file_bytes: int) -> None:
        self._left_bytes = file_bytes
        self._declared: dict[str, Storage] = {}

    def items(self) -> ItemsView[str, Storage]:
        return self._declared.items()

    def declare(self, described: object) -> Storage:
        """The storage that a pickle describes, new or known."""
        match described:
            case ("storage", Name(text), str(key), str(), int(count), *view) if all(part is None for part in view):
                return self._known(text.removeprefix("torch ").removesuffix("Storage"), key, count)
        raise BadTorchFileError(DAMAGED)  # or a view of another storage, as of before 2018

    def _known(self, kind: str, key: str, count: int) -> Storage:
        if kind not in KINDS or count < 0:
            raise BadTorchFileError(DAMAGED)
        if key not in self._declared:
            self._declared[key] = self._new(kind, count)
        known = self._declared[key]
        if (known.kind, len(known.numbers)) != (kind, count):
            raise BadTorchFileError("says two things of the same numbers")
        return known

    def _new(self, kind: str, count: int) -> Storage:
        stored, given = KINDS[kind]
        self._left_bytes -= count * np.dtype(stored).itemsize
        if self._left_bytes < 0:
            raise BadTorchFileError(TOO_MUCH)
        return Storage(kind, np.empty(count, given))


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The numbers in bfloat16 of these bits, which are the first half of a float32's."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _tensor(arguments: tuple[object, ...]) -> NDArray[Any]:
    """The part of a storage that a tensor is; whether it shall be trained, and by which hooks, does not matter."""
    match arguments:
        case (Storage(_, numbers), int(offset), tuple(size), tuple(strides), bool(), dict()):
            _check_view(len(numbers), offset, size, strides)
        case _:
            raise BadTorchFileError(DAMAGED)
    width = numbers.itemsize
    return np.ndarray(size, numbers.dtype, numbers, offset * width, tuple(stride * width for stride in strides))


def _check_view(stored: int, offset: int, size: tuple[object, ...], strides: tuple[object, ...]) -> None:
    """Refuse what reaches beyond a storage of that length, or makes more numbers of it than it has."""
    lengths, steps = _whole_numbers(size), _whole_numbers(strides)
    if len(lengths) > MOST_DIMENSIONS or not 0 <= offset <= stored:
        raise BadTorchFileError(DAMAGED)
    if math.prod(max(length, 1) for length in lengths) > MOST_NUMBERS or math.prod(lengths) > stored:
        raise BadTorchFileError(TOO_MUCH)
    last = sum((length - 1) * step for length, step in zip(lengths, steps, strict=True))
    if all(lengths) and offset + last >= stored:
        raise BadTorchFileError(TOO_MUCH)


def _whole_numbers(values: tuple[object, ...]) -> list[int]:
    numbers = [value for value in values if type(value) is int and 0 <= value <= MOST_NUMBERS]
    if len(numbers) != len(values):
        raise BadTorchFileError(DAMAGED)
    return numbers


def _parameter(arguments: tuple[object, ...]) -> NDArray[Any]:
    """A tensor, as which it is as good: whether it is trained does not matter here."""
    match arguments:
        case (np.ndarray() as tensor, bool(), dict()):
            return tensor
    raise BadTorchFileError(DAMAGED)


def _ordered(arguments: tuple[object, ...]) -> dict[object, object]:
    """An empty dictionary, which torch fills afterwards."""
    if arguments:
        raise BadTorchFileError(DAMAGED)
    return {}


def _size(arguments: tuple[object, ...]) -> tuple[object, ...]:
    match arguments:
        case (tuple(lengths),):
            return lengths
    raise BadTorchFileError(DAMAGED)


CALLS: Mapping[str, Callable[[tuple[object, ...]], object]] = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    "torch Size": _size,
}
"""Stand-ins for the functions and classes that a pickle calls."""

NAMES = {*CALLS, *(f"torch {kind}Storage" for kind in KINDS)}
"""All that a pickle may refer to."""

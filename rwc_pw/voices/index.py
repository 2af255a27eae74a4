"""A voice's faiss index, read and written without faiss, which believes what a file says of itself.

The format is that of faiss's ``index_write.cpp``; RVC's training writes vectors in lists, each around its centroid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

FLAT = (b"IxF2", b"IxFI", b"IxFl")
LISTED = b"IwFl"
MOST_VECTORS = 2_000_000
MOST_LISTS = 1 << 16  # three times those that training makes for so many vectors
LARGEST_NUMBER = 1e4  # a thousand times those of ContentVec's features, and no sum of squares overflows
HASHED = 2  # the one kind of direct map that has pairs
L2 = 1  # faiss's number for the metric; from 2 on, a metric has an argument
BLOCK_NUMBERS = 1 << 22

Number = TypeVar("Number", np.float32, np.uint8, np.int32, np.int64, np.uint64)
Lists = Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]


class BadIndexError(ValueError):
    """The file is not an index that a voice can use; the message says why, as the end of "comes with"."""


@dataclass(frozen=True)
class VoiceIndex:
    """Vectors, in one list or shared out to lists by the nearest centroid; the ids run from 0, each once."""

    width: int
    probes: int
    """Number of lists that are searched."""
    centroids: NDArray[np.float32] | None
    """(lists, width); None for one list."""
    lists: Lists
    """Each list's vectors, (n, width), and their ids, (n,); one list with all of them if there are no centroids."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The index in ``path``, whose vectors stay in the file; ``BadIndexError`` unless it can be searched."""
        if not path.stat().st_size:
            raise BadIndexError("an index that is empty")
        reader = _Reader(np.memmap(path, np.uint8, "r"))
        kind = reader.text()
        if kind in FLAT:
            width, vectors = _flat(reader)
            found = cls(width, 1, None, [(vectors, np.arange(len(vectors)))])
        elif kind == LISTED:
            found = cls(*_listed(reader))
        else:
            raise BadIndexError(f"an index of a kind that no voice has, or a file that is none ({kind!a})")
        _check_numbers([vectors for vectors, _ in found.lists])
        _check_ids(found)
        return found

    def __len__(self) -> int:
        return sum(len(ids) for _, ids in self.lists)

    def write(self, path: Path) -> None:
        """Write it as faiss would."""
        with path.open("wb") as file:
            if self.centroids is None:
                _write_flat(file, self.lists[0][0])
                return
            file.write(LISTED + _header(self.width, len(self)))
            file.write(np.array([len(self.lists), self.probes], np.uint64).tobytes())
            _write_flat(file, self.centroids)
            file.write(bytes(1 + 8))  # no direct map
            file.write(b"ilar" + np.array([len(self.lists), 4 * self.width], np.uint64).tobytes())
            file.write(b"full" + np.array([len(self.lists)], np.uint64).tobytes())
            file.write(np.array([len(ids) for _, ids in self.lists], np.uint64).tobytes())
            for vectors, ids in self.lists:
                _write_numbers(file, vectors)
                file.write(ids.tobytes())


class _Reader:
    """Reads a file's parts one after another; ``BadIndexError`` for what it does not hold."""

    def __init__(self, content: NDArray[np.uint8]) -> None:
        self._content, self._at = content, 0

    def array(self, kind: type[Number], count: int) -> NDArray[Number]:
        """The next numbers, which stay in the file."""
        size = count * np.dtype(kind).itemsize
        if size > len(self._content) - self._at:
            raise BadIndexError("an index that is damaged or cut short")
        start, self._at = self._at, self._at + size
        return np.frombuffer(self._content, kind, count, start) if count else np.zeros(0, kind)

    def number(self, kind: type[Any]) -> int:
        return int(self.array(kind, 1)[0])

    def text(self) -> bytes:
        return self.array(np.uint8, 4).tobytes()

    def vectors(self, count: int, width: int) -> NDArray[np.float32]:
        return self.array(np.float32, count * width).reshape(count, width)


def _flat(reader: _Reader) -> tuple[int, NDArray[np.float32]]:
    """The width and the vectors, (n, width)."""
    width, count = _read_header(reader)
    if reader.number(np.uint64) != width * count:
        raise BadIndexError("an index that declares other vectors than it has")
    return width, reader.vectors(count, width)


def _listed(reader: _Reader) -> tuple[int, int, NDArray[np.float32], Lists]:
    """The fields of ``VoiceIndex``."""
    width, count = _read_header(reader)
    lists, probes = reader.number(np.uint64), reader.number(np.uint64)
    if reader.text() not in FLAT:
        raise BadIndexError("an index of a kind that no voice has")
    quantizer_width, centroids = _flat(reader)
    if (quantizer_width, len(centroids)) != (width, lists) or not 0 < lists <= MOST_LISTS:
        raise BadIndexError("an index whose lists do not fit its vectors")
    _check_numbers([centroids])
    map_kind, mapped = reader.number(np.uint8), reader.number(np.uint64)
    reader.array(np.int64, mapped)
    if map_kind == HASHED:
        reader.array(np.int64, 2 * reader.number(np.uint64))
    sizes = _read_sizes(reader, lists, width)
    if sum(sizes) != count:
        raise BadIndexError("an index that declares other vectors than it has")
    found = [(reader.vectors(size, width), reader.array(np.int64, size)) for size in sizes]
    return width, min(max(probes, 1), lists), np.array(centroids), found


def _read_header(reader: _Reader) -> tuple[int, int]:
    """The width and the number of vectors."""
    width, count = reader.number(np.int32), reader.number(np.int64)
    reader.array(np.uint8, 8 + 8 + 1)  # nothing, twice, and whether it is trained
    if reader.number(np.int32) > L2:
        raise BadIndexError("an index that measures distances as no voice does")
    if width < 1 or not 0 <= count <= MOST_VECTORS:
        raise BadIndexError(f"an index of {count} vectors of {width} features")
    return width, count


def _read_sizes(reader: _Reader, lists: int, width: int) -> list[int]:
    """Number of vectors of each list."""
    if reader.text() != b"ilar" or reader.number(np.uint64) != lists or reader.number(np.uint64) != 4 * width:
        raise BadIndexError("an index whose lists do not fit its vectors")
    way, numbers = reader.text(), reader.number(np.uint64)
    if numbers > 2 * lists or (numbers % 2 and way == b"sprs"):
        raise BadIndexError("an index whose lists do not fit its vectors")
    stored = [int(number) for number in reader.array(np.uint64, numbers)]
    if way == b"full" and numbers == lists:
        return stored
    sizes = [0] * lists
    if way != b"sprs" or any(at >= lists for at in stored[::2]):
        raise BadIndexError("an index whose lists do not fit its vectors")
    for at, size in zip(stored[::2], stored[1::2], strict=True):
        sizes[at] = size
    return sizes


def _check_numbers(arrays: list[NDArray[np.float32]]) -> None:
    for array in arrays:
        numbers = array.reshape(-1)
        for start in range(0, len(numbers), BLOCK_NUMBERS):
            if not (np.abs(numbers[start : start + BLOCK_NUMBERS]) <= LARGEST_NUMBER).all():
                raise BadIndexError("an index that holds numbers which are not finite, or which no feature has")


def _check_ids(index: VoiceIndex) -> None:
    if not len(index):
        raise BadIndexError("an index of 0 vectors")
    ids = np.sort(np.concatenate([ids for _, ids in index.lists]))
    if not np.array_equal(ids, np.arange(len(ids))):
        raise BadIndexError("an index whose ids are not those of its vectors")


def _header(width: int, count: int) -> bytes:
    unused = np.array([1 << 20, 1 << 20], np.int64).tobytes()
    return np.int32(width).tobytes() + np.int64(count).tobytes() + unused + b"\1" + np.int32(L2).tobytes()


def _write_flat(file: IO[bytes], vectors: NDArray[np.float32]) -> None:
    file.write(FLAT[0] + _header(vectors.shape[1], len(vectors)) + np.uint64(vectors.size).tobytes())
    _write_numbers(file, vectors)


def _write_numbers(file: IO[bytes], vectors: NDArray[np.float32]) -> None:
    numbers = vectors.reshape(-1)
    for start in range(0, len(numbers), BLOCK_NUMBERS):
        file.write(numbers[start : start + BLOCK_NUMBERS].tobytes())

"""A voice's index is taken only if it can be searched, and nothing in it reaches faiss unchecked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.voices.index import LARGEST_NUMBER, BadIndexError, VoiceIndex

WIDTH = 4
HEADER_BYTES = 4 + 4 + 8 + 16 + 1 + 4
PROBES_AT = HEADER_BYTES + 8


def numbers(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, WIDTH)).astype(np.float32)


def shared_out(ids: tuple[tuple[int, ...], ...] = ((0, 3), (), (2, 1, 4))) -> VoiceIndex:
    lists = [(numbers(len(some)), np.array(some, np.int64)) for some in ids]
    return VoiceIndex(WIDTH, 2, numbers(len(ids)), lists)


def in_one(vectors: np.ndarray) -> VoiceIndex:
    return VoiceIndex(WIDTH, 1, None, [(vectors, np.arange(len(vectors)))])


@pytest.mark.parametrize("index", [shared_out(), in_one(numbers(5))], ids=["lists", "flat"])
def test_what_is_written_is_read(tmp_path: Path, index: VoiceIndex) -> None:
    index.write(tmp_path / "index")
    read = VoiceIndex.read(tmp_path / "index")
    assert (read.width, read.probes, len(read)) == (index.width, index.probes, 5)
    assert (read.centroids is None) == (index.centroids is None)
    for (vectors, ids), (read_vectors, read_ids) in zip(index.lists, read.lists, strict=True):
        np.testing.assert_array_equal(vectors, read_vectors)
        np.testing.assert_array_equal(ids, read_ids)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (shared_out(((0, 10**12), ())), "ids"),
        (shared_out(((0, -1), ())), "ids"),
        (shared_out(((0, 0), (1,))), "ids"),
        (shared_out(((), ())), "0 vectors"),
        (replace(shared_out(), centroids=numbers(2)), "lists do not fit"),
        (replace(shared_out(), centroids=np.zeros((3, WIDTH + 1), np.float32)), "lists do not fit"),
        (replace(shared_out(), centroids=np.full((3, WIDTH), np.nan, np.float32)), "not finite"),
        (replace(shared_out(), width=WIDTH - 1), "lists do not fit"),
        (in_one(numbers(0)), "0 vectors"),
        (in_one(np.full((2, WIDTH), np.inf, np.float32)), "not finite"),
        (in_one(np.full((2, WIDTH), -2 * LARGEST_NUMBER, np.float32)), "no feature has"),
    ],
)
def test_an_index_that_could_not_be_searched_is_refused(tmp_path: Path, index: VoiceIndex, told: str) -> None:
    index.write(tmp_path / "index")
    with pytest.raises(BadIndexError, match=told):
        VoiceIndex.read(tmp_path / "index")


@pytest.mark.parametrize(
    ("at", "put"),
    [
        (0, b"IwPQ"),
        (4, b"\xff\xff\xff\x7f"),  # the width
        (8, b"\xff" * 8),  # the number of vectors
        (8, b"\xff" * 7 + b"\x7f"),
        (33, b"\x17"),  # the metric
        (HEADER_BYTES, b"\xff" * 8),  # the number of lists
        (HEADER_BYTES + 16, b"IHNf"),  # what finds the list
    ],
)
def test_a_header_that_lies_is_not_believed(tmp_path: Path, at: int, put: bytes) -> None:
    shared_out().write(tmp_path / "index")
    content = bytearray((tmp_path / "index").read_bytes())
    content[at : at + len(put)] = put
    (tmp_path / "index").write_bytes(content)
    with pytest.raises(BadIndexError):
        VoiceIndex.read(tmp_path / "index")


def test_no_more_lists_are_searched_than_there_are(tmp_path: Path) -> None:
    shared_out().write(tmp_path / "index")
    content = bytearray((tmp_path / "index").read_bytes())
    for put, probes in ((b"\xff" * 8, 3), (bytes(8), 1)):
        content[PROBES_AT : PROBES_AT + 8] = put
        (tmp_path / "index").write_bytes(content)
        assert VoiceIndex.read(tmp_path / "index").probes == probes


@pytest.mark.parametrize("index", [shared_out(), in_one(numbers(5))], ids=["lists", "flat"])
def test_an_index_that_is_cut_short_is_refused_wherever_it_is_cut(tmp_path: Path, index: VoiceIndex) -> None:
    index.write(tmp_path / "index")
    whole = (tmp_path / "index").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "index").write_bytes(whole[:length])
        with pytest.raises(BadIndexError):
            VoiceIndex.read(tmp_path / "index")


@settings(max_examples=300)
@given(st.data())
def test_whatever_is_changed_in_an_index_it_is_refused_or_sound(tmp_path: Path, data: st.DataObject) -> None:
    shared_out().write(tmp_path / "index")
    content = bytearray((tmp_path / "index").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    (tmp_path / "index").write_bytes(content)
    try:
        read = VoiceIndex.read(tmp_path / "index")
    except BadIndexError:
        return
    assert sorted(np.concatenate([ids for _, ids in read.lists])) == list(range(len(read)))
    assert read.centroids is not None
    assert read.centroids.shape == (len(read.lists), read.width)
    assert all(vectors.shape == (len(ids), read.width) for vectors, ids in read.lists)
    assert all(np.isfinite(vectors).all() for vectors, _ in read.lists)

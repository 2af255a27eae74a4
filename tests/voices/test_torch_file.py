"""PyTorch's files are read as torch reads them, and nothing else is: nothing is run, or made larger than the file."""

import pickletools
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.voices.tensors import KINDS, BadTorchFileError
from rwc_pw.voices.torch_file import LARGEST_PICKLE_BYTES, read_torch_file
from rwc_pw.voices.torch_pickle import STEPS
from tests.rvc.hostile import gadgets
from tests.voices.torch_files import (
    ORDERED,
    REBUILD,
    SYSTEM,
    Code,
    called,
    opcodes,
    pickled,
    storage,
    tensor,
    write_older,
    write_zip,
)

FLOATS = np.arange(12, dtype=np.float32)
STORED = storage("Float", "0", 12)
PLAIN = {"a": [1, -2, 3.5, None, True, False], "b": {"c": (), "d": ("é", (1 << 200, 2), {})}, 7: [[]]}


def zipped(path: Path, value: object, content: bytes = FLOATS.tobytes()) -> Path:
    return write_zip(path, pickled(value), {"0": content})


def older(path: Path, value: object, content: bytes = FLOATS.tobytes()) -> Path:
    return write_older(path, pickled(value), [("0", 12, content)])


FORMS = pytest.mark.parametrize("write", [zipped, older])
Write = Callable[..., Path]


def is_refused(path: Path) -> bool:
    try:
        read_torch_file(path)
    except BadTorchFileError:
        return True
    return False


@FORMS
def test_plain_values_come_as_they_are(tmp_path, write):
    assert read_torch_file(write(tmp_path / "x", {**PLAIN, "t": STORED})).items() >= PLAIN.items()


@pytest.mark.parametrize("kind", KINDS)
@FORMS
def test_each_kind_of_numbers(tmp_path, write, kind):
    stored, given_as = map(np.dtype, KINDS[kind])
    content = np.random.default_rng(0).integers(0, 256, 12 * stored.itemsize, np.uint8).tobytes()
    read = read_torch_file(write(tmp_path / "x", tensor(storage(kind, "0", 12), 0, (3, 4), (4, 1)), content))
    assert (read.shape, read.dtype) == ((3, 4), given_as)
    if kind == "Bool":
        assert read.tobytes() == bytes(map(bool, content))
    elif kind == "BFloat16":
        assert (read.view(np.uint32) >> 16).astype("<u2").tobytes() == content
        assert not (read.view(np.uint32) & 0xFFFF).any()
    else:
        assert read.tobytes() == content


def test_bfloat16_keeps_its_values(tmp_path):
    bits = np.array([0x3F80, 0xC000, 0x7F80, 0x0001, 0x8000, 0x7F7F] * 2, "<u2")
    read = read_torch_file(zipped(tmp_path / "x", tensor(storage("BFloat16", "0", 12), 0, (6,), (1,)), bits.tobytes()))
    assert read.tolist() == [1.0, -2.0, np.inf, 2.0**-133, -0.0, (2 - 2.0**-7) * 2.0**127]


@FORMS
def test_tensors_are_views_of_their_storages(tmp_path, write):
    views = {
        "whole": tensor(STORED, 0, (3, 4), (4, 1)),
        "turned": tensor(STORED, 0, (4, 3), (1, 4)),
        "part": tensor(STORED, 5, (2, 2), (4, 1)),
        "one": tensor(STORED, 11, (), ()),
        "none": tensor(STORED, 12, (0, 5), (5, 1)),
        "repeated": tensor(STORED, 3, (2, 2), (0, 1)),
    }
    read = read_torch_file(write(tmp_path / "x", views))
    expected = FLOATS.reshape(3, 4)
    for name, part in {
        "whole": expected,
        "turned": expected.T,
        "part": expected[1:, 1:3],
        "one": FLOATS[11],
        "none": np.zeros((0, 5), np.float32),
        "repeated": np.array([[3, 4]] * 2, np.float32),
    }.items():
        np.testing.assert_array_equal(read[name], part, strict=True)
    assert all(array.flags.aligned for array in read.values())
    read["whole"][2, 3] = 99
    assert read["one"] == 99


@FORMS
def test_what_torch_wraps_tensors_in_falls_away(tmp_path, write):
    parameter = called(b"ctorch._utils\n_rebuild_parameter\n", tensor(STORED, 0, (12,), (1,)), True, Code(ORDERED))
    state = Code(opcodes({"_metadata": Code(ORDERED + opcodes("") + opcodes({"version": 1}) + b"s")}) + b"b")
    filled = Code(ORDERED + opcodes("weight") + parameter.content + b"s" + state.content)
    size = called(b"ctorch\nSize\n", (3, 4))
    read = read_torch_file(write(tmp_path / "x", {"model": filled, "size": size}))
    assert list(read["model"]) == ["weight"]
    np.testing.assert_array_equal(read["model"]["weight"], FLOATS)
    assert read["size"] == (3, 4)


def test_a_memo_of_any_place_costs_nothing(tmp_path):
    code = b"\x80\x02](K\x01r\xff\xff\xff\xffj\xff\xff\xff\xffe."
    assert read_torch_file(write_zip(tmp_path / "x", code, {})) == [1, 1]


HUGE = 1 << 40
STRANGE: dict[str, tuple[object, str]] = {
    "more of a storage than it has": (tensor(STORED, 0, (13,), (1,)), "declares more"),
    "one number for many": (tensor(STORED, 0, (13,), (0,)), "declares more"),
    "a part behind the end": (tensor(STORED, 9, (4,), (1,)), "declares more"),
    "strides behind the end": (tensor(STORED, 0, (3, 4), (5, 1)), "declares more"),
    "a start behind the end": (tensor(STORED, 13, (0,), (1,)), "damaged"),
    "a start before the beginning": (tensor(STORED, -1, (2,), (1,)), "damaged"),
    "a stride backwards": (tensor(STORED, 4, (2,), (-1,)), "damaged"),
    "a negative length": (tensor(STORED, 0, (-1, -3), (1, 1)), "damaged"),
    "fewer strides than lengths": (tensor(STORED, 0, (2, 2), (1,)), "damaged"),
    "many dimensions": (tensor(STORED, 0, (1,) * 9, (1,) * 9), "damaged"),
    "none of very many": (tensor(STORED, 0, (0, HUGE, HUGE), (1, 1, 1)), "damaged"),
    "none of many": (tensor(STORED, 0, (0, 1 << 20, 1 << 20), (1, 1, 1)), "declares more"),
    "a stride beyond all": (tensor(STORED, 0, (2,), (1 << 62,)), "damaged"),
    "a text for a length": (tensor(STORED, 0, ("1",), (1,)), "damaged"),  # type: ignore[list-item]
    "a list for a storage": (called(REBUILD, [], 0, (1,), (1,), False, {}), "damaged"),
    "a tensor of nothing": (called(REBUILD), "damaged"),
    "what inverts it": (called(REBUILD, STORED, 0, (1,), (1,), False, {}, {"neg": True}), "damaged"),
    "no tuple of arguments": (Code(ORDERED[:-2] + b"]R"), "damaged"),
    "a filled dictionary": (called(ORDERED[:-2], [("a", 1)]), "damaged"),
    "a parameter of nothing": (called(b"ctorch._utils\n_rebuild_parameter\n", 1, True, {}), "damaged"),
    "a size of a number": (called(b"ctorch\nSize\n", 5), "damaged"),
    "a storage that is called": (called(b"ctorch\nFloatStorage\n", HUGE), "run code"),
    "a number that is called": (called(b"K\x01", 1), "run code"),
    "a storage larger than the file": (storage("Float", "1", HUGE), "declares more"),
    "many storages": ([storage("Float", str(key), 50) for key in range(1000)], "declares more"),
    "a storage of a negative length": (storage("Float", "1", -HUGE), "damaged"),
    "two lengths of a storage": ([STORED, storage("Float", "0", 11)], "two things"),
    "two kinds of a storage": ([STORED, storage("Int", "0", 12)], "two things"),
    "a place in another storage": (storage("Float", "0", 12, ("1", 0, 12)), "damaged"),
    "complex numbers": (storage("ComplexFloat", "0", 1), "run code"),
    "no kind of storage": (Code(opcodes(("storage", Code(b"ctorch\nSize\n"), "0", "cpu", 1)) + b"Q"), "damaged"),
    "a text for a storage": (Code(opcodes("0") + b"Q"), "damaged"),
    "a tuple for a key": (Code(b"})K\x01s"), "damaged"),
    "a float for a key": ({1.5: 1}, "damaged"),
    "a great number for a key": ({HUGE: 1}, "damaged"),
    "a key without a value": (Code(b"}(K\x01u"), "damaged"),
    "an item of a list": (Code(b"]K\x01K\x01s"), "run code"),
    "the state of a list": (Code(b"]}b"), "run code"),
    "an item for a dictionary": (Code(b"}K\x01a"), "damaged"),
    "an unknown place": (Code(b"h\x05"), "damaged"),
    "no mark": (Code(b"K\x01t"), "damaged"),
    "a pair of one": (Code(b"K\x01\x86"), "damaged"),
    "two objects": (Code(b"K\x01K\x01"), "damaged"),
    "an open mark": (Code(b"K\x01("), "damaged"),
    "nothing": (Code(b""), "damaged"),
    "half a character": (Code(b"X\x01\x00\x00\x00\xc3"), "damaged"),
}


@pytest.mark.parametrize(("value", "told"), STRANGE.values(), ids=STRANGE)
@FORMS
def test_what_torch_never_writes_is_refused(tmp_path, write, value, told):
    with pytest.raises(BadTorchFileError, match=told):
        read_torch_file(write(tmp_path / "x", value))


@pytest.mark.parametrize("write", [write_zip, write_older])
def test_no_gadget_runs(tmp_path, write):
    canary = tmp_path / "canary"
    for name, code in gadgets(canary):
        path = write(tmp_path / "x", code, {})
        assert is_refused(path), name
    assert not canary.exists()


ARGUMENTS = (b"", b"1\n", b"'a'\n", b"os\nsystem\n", *map(bytes, (1, 2, 4, 8)))
OTHERS = [opcode for opcode in pickletools.opcodes if opcode.name not in {*STEPS, "STOP"}]


def with_argument(opcode: str) -> bytes:
    """A pickle of None, before which that opcode stands."""
    for argument in ARGUMENTS:
        code = opcode.encode("latin-1") + argument + b"N."
        with suppress(ValueError):
            if len(list(pickletools.genops(code))) == 3:
                return code
    raise AssertionError(opcode)


@pytest.mark.parametrize("opcode", OTHERS, ids=lambda opcode: opcode.name)
def test_no_other_opcode_is_known(tmp_path, opcode):
    with pytest.raises(BadTorchFileError, match="run code"):
        read_torch_file(write_zip(tmp_path / "x", with_argument(opcode.code), {}))


def whole(path: Path) -> bytes:
    return zipped(path, tensor(STORED, 0, (12,), (1,))).read_bytes()


def test_a_zip_that_is_cut_or_changed_is_refused(tmp_path):
    content, path = whole(tmp_path / "x"), tmp_path / "y"
    at = content.index(FLOATS.tobytes())
    changed = {
        **{f"cut at {end}": content[:end] for end in range(0, len(content), 7)},
        "a number changed": content[: at + 5] + b"\x55" + content[at + 6 :],
        "something before": b"x" * 100 + content,
    }
    for name, other in changed.items():
        path.write_bytes(other)
        assert is_refused(path), name


def test_an_entry_before_the_beginning_is_refused(tmp_path):
    content = bytearray(write_zip(tmp_path / "x", b"N.", {}, {}).read_bytes())
    at = content.index(b"PK\5\6") + 16
    content[at : at + 4] = (int.from_bytes(content[at : at + 4], "little") + 9).to_bytes(4, "little")  # of the list
    (tmp_path / "x").write_bytes(content)
    assert is_refused(tmp_path / "x")


def test_entries_that_the_list_describes_falsely_are_refused(tmp_path):
    path, content = tmp_path / "x", bytes(200)

    def changed(at: int, value: bytes) -> Path:
        """The file with other bytes in the list's row of the storage, which is the last."""
        stored = write_zip(path, pickled(storage("Byte", "0", 600)), {"0": content}).read_bytes()
        row = stored.rindex(b"PK\1\2") + at
        path.write_bytes(stored[:row] + value + stored[row + len(value) :])
        return path

    for name, at, value in (
        ("behind the end", 20, 2 * (600).to_bytes(4, "little")),
        ("of a later zip", 6, b"\xff"),
        ("patched", 8, b"\x20"),
        ("encrypted", 8, b"\x01"),
    ):
        assert is_refused(changed(at, value)), name


ENTRIES: dict[str, tuple[dict[str, bytes], dict[str, bytes], str]] = {
    "the other order of bytes": ({"0": FLOATS.tobytes()}, {"byteorder": b"big"}, "another byte order"),
    "no order of bytes": ({"0": FLOATS.tobytes()}, {"byteorder": b"little" * 1000}, "another byte order"),
    "no storage": ({}, {}, "declares more"),
    "a short storage": ({"0": FLOATS.tobytes()[:-1]}, {}, "declares more"),
    "a long storage": ({"0": FLOATS.tobytes() + b"1"}, {}, "declares more"),
}


@pytest.mark.parametrize(("storages", "more", "told"), ENTRIES.values(), ids=ENTRIES)
def test_entries_that_do_not_fit_are_refused(tmp_path, storages, more, told):
    path = write_zip(tmp_path / "x", pickled(tensor(STORED, 0, (12,), (1,))), storages, more)
    with pytest.raises(BadTorchFileError, match=told):
        read_torch_file(path)


def test_archives_that_torch_never_makes_are_refused(tmp_path):
    path = tmp_path / "x"

    def assert_refused(told: str, entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        with pytest.raises(BadTorchFileError, match=told):
            read_torch_file(path)

    assert_refused("not of a voice", [("a/b", b"")])
    assert_refused("not of a voice", [("a/data.pkl", b"N."), ("b/data.pkl", b"N.")])
    assert_refused("compressed", [("a/data.pkl", b"N."), ("a/x", bytes(50_000_000))], zipfile.ZIP_DEFLATED)
    assert_refused("more than any voice", [("a/data.pkl", bytes(LARGEST_PICKLE_BYTES + 1))])
    with pytest.warns(UserWarning, match="Duplicate"):
        assert_refused("twice", [("a/data.pkl", b"N."), ("a/data/0", b""), ("a/data/0", b"")])


CONTENT = FLOATS.tobytes()
OLDER: dict[str, tuple[list[tuple[str, int, bytes]], dict[str, Any], str]] = {
    "the other order of bytes": ([("0", 12, CONTENT)], {"system": {**SYSTEM, "little_endian": False}}, "byte order"),
    "another version": ([("0", 12, CONTENT)], {"version": 1002}, "damaged"),
    "no list of keys": ([("0", 12, CONTENT)], {"keys": {"0": 0}}, "damaged"),
    "a list for a key": ([("0", 12, CONTENT)], {"keys": [[]]}, "damaged"),
    "another key": ([("1", 12, CONTENT)], {}, "damaged"),
    "a key twice": ([("0", 12, CONTENT)] * 2, {}, "damaged"),
    "no keys": ([], {}, "damaged"),
    "another number of numbers": ([("0", 11, CONTENT)], {}, "damaged"),
    "fewer numbers": ([("0", 12, CONTENT[:-1])], {}, "cut short"),
    "a storage where none can be": ([("0", 12, CONTENT)], {"keys": [STORED]}, "run code"),
}


@pytest.mark.parametrize(("stored", "changed", "told"), OLDER.values(), ids=OLDER)
def test_parts_of_the_older_form_that_do_not_fit_are_refused(tmp_path, stored, changed, told):
    path = write_older(tmp_path / "x", pickled(tensor(STORED, 0, (12,), (1,))), stored, **changed)
    with pytest.raises(BadTorchFileError, match=told):
        read_torch_file(path)


def test_a_storage_without_numbers_is_refused_in_the_older_form(tmp_path):
    stored = [("0", 12, CONTENT), ("0", 12, CONTENT)]
    path = write_older(tmp_path / "x", pickled([STORED, storage("Float", "1", 12)]), stored)
    with pytest.raises(BadTorchFileError, match="damaged"):
        read_torch_file(path)


def test_an_older_pickle_that_is_too_large_is_refused(tmp_path):
    path = older(tmp_path / "x", ["x" * LARGEST_PICKLE_BYTES, STORED])
    with pytest.raises(BadTorchFileError):
        read_torch_file(path)


PARTS = st.sampled_from(
    [
        *(bytes([code]) for code in b"()]}NbtRQsuae\x85\x86\x87\x88\x89"),
        *(b"K" + bytes([number]) for number in (0, 1, 2, 12, 255)),
        *(letter + bytes([place]) for letter in (b"q", b"h") for place in range(3)),
        *(opcodes(text) for text in ("storage", "0", "cpu")),
        *(b"ctorch\n" + name + b"\n" for name in (b"FloatStorage", b"BoolStorage", b"Size")),
        REBUILD,
        ORDERED,
        STORED.content,
        opcodes((1, 2)),
        opcodes(("storage", Code(b"ctorch\nFloatStorage\n"), "0", "cpu", 12)),
        STORED.content + b"K\x00(K\x03K\x04t(K\x04K\x01t\x89" + ORDERED,
        b"\x8a\x09" + b"\xff" * 9,
        b"G\x7f\xf8" + bytes(6),
    ]
)


@settings(max_examples=500)
@given(code=st.lists(PARTS, max_size=30).map(b"".join))
def test_whatever_the_opcodes_they_make_plain_values_or_are_refused(tmp_path, code):
    path = write_zip(tmp_path / "x", b"\x80\x02(" + code + b"t.", {"0": CONTENT})
    try:
        made = read_torch_file(path)
    except BadTorchFileError:
        return
    assert type(made) is tuple


def test_nothing_is_imported(tmp_path):
    path = older(tmp_path / "x", {"weight": tensor(STORED, 0, (12,), (1,))})
    program = "import sys, pathlib, rwc_pw.voices.adding.inspector, rwc_pw.rvc.weights as w;"
    program += "w.read_weights(pathlib.Path(sys.argv[1])); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert {"torch", "safetensors", "faiss"} & set(done.stdout.split()) == set()


def same(ours: object, theirs: object) -> bool:
    """Return whether we read what torch reads, in its order."""
    import torch

    if isinstance(theirs, torch.Tensor):
        wide = theirs.detach().float() if theirs.dtype == torch.bfloat16 else theirs.detach()
        expected = wide.numpy()
        return isinstance(ours, np.ndarray) and ours.dtype == expected.dtype and np.array_equal(ours, expected)
    if isinstance(theirs, dict):
        assert type(ours) is dict
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list | tuple):
        assert isinstance(ours, list | tuple)
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.needs_rvc
@pytest.mark.parametrize("is_zip", [True, False])
def test_what_torch_saves_is_read_as_torch_reads_it(tmp_path, is_zip):
    import torch

    random = torch.Generator().manual_seed(0)
    kinds = ("bfloat16", "float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
    numbers = {kind: (100 * torch.randn(3, 5, generator=random)).to(getattr(torch, kind)) for kind in kinds}
    whole = torch.randn(4, 6, 5, generator=random)
    network = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 5), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    optimizer = torch.optim.AdamW(network.parameters())
    saved = {
        "numbers": numbers,
        "views": [whole, whole.transpose(0, 2), whole[1:3, ::2], whole[3, 5, 4], whole[:, :0], whole.permute(1, 2, 0)],
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "none": torch.zeros(0),
        "state": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ordered": OrderedDict(b=1, a=torch.tensor(2.5)),
        "size": whole.shape,
        "plain": PLAIN,
        "text": "日本語 \U0001f3a4 \ud800",
        "long": ["x" * 70_000, -(1 << 31), 1 << 31, 0.1],
    }
    path = tmp_path / "x"
    torch.save(saved, path, _use_new_zipfile_serialization=is_zip)
    assert same(read_torch_file(path), torch.load(path, weights_only=True))


@pytest.mark.needs_rvc
@pytest.mark.parametrize("is_zip", [True, False])
def test_what_torch_saves_and_no_weights_need_is_refused(tmp_path, is_zip):
    import torch

    path = tmp_path / "x"
    for value in (
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2).to_sparse(),
        torch.zeros(2, device="meta"),
        torch.zeros(1).expand(5),
        torch.nn.Linear(1, 1),
        np.zeros(1),
        {1, 2},
        Path("/"),
    ):
        torch.save(value, path, _use_new_zipfile_serialization=is_zip)
        with pytest.raises(BadTorchFileError):
            read_torch_file(path)

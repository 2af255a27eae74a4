"""A stranger's voice comes in whole, or not at all, and nothing in it is run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.voices.adding import add as importing
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.checkpoint import BadVoiceError, read_checkpoint, read_stored
from rwc_pw.voices.store import VoiceStore
from tests.file_server import serving
from tests.rvc.checkable import make_index, make_voice
from tests.rvc.hostile import gadgets, lies, with_pickle
from tests.rvc.synthesizer import UPSAMPLING

pytestmark = pytest.mark.needs_rvc

INSPECT_ALL = """
import json, sys
from pathlib import Path
from rwc_pw.voices.checkpoint import BadVoiceError
from rwc_pw.voices.adding.inspector import inspect

for line in sys.stdin:
    model, index, folder = json.loads(line)
    Path(folder).mkdir()
    try:
        print(json.dumps(inspect(Path(model), index and Path(index), Path(folder))["index_problem"] or None))
    except BadVoiceError as error:
        print(json.dumps(str(error)))
"""

WITHOUT_TORCH = """
import runpy, sys

sys.modules["torch"] = None
runpy.run_module("rwc_pw.voices.adding.inspector", run_name="__main__")
"""

ENDED_BY_AN_INDEX = """
import io, json, os, runpy, sys

request = sys.stdin.read()
if json.loads(request)["index"]:
    os.abort()
sys.stdin = io.StringIO(request)
runpy.run_module("rwc_pw.voices.adding.inspector", run_name="__main__")
"""


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    return VoiceStore(tmp_path / "models")


def problems(files: list[Path], folder: Path, index: list[Path | None] | None = None) -> list[str | None]:
    """What the inspector says is wrong with each or its index, all in one process; a crash would leave answers out."""
    indexes = index or [None] * len(files)
    lines = [
        json.dumps([str(file), at and str(at), str(folder / f"out-{number}")])
        for number, (file, at) in enumerate(zip(files, indexes, strict=True))
    ]
    done = subprocess.run(
        [sys.executable, "-c", INSPECT_ALL],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(folder)},
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(files), done.stderr
    return answers


def assert_refused(answers: list[str | None], names: list[str]) -> None:
    assert {name: answer for name, answer in zip(names, answers, strict=True) if not answer} == {}
    assert all("\n" not in answer and len(answer) < 200 for answer in answers if answer)


def test_a_voice_comes_in_with_its_index(store, voice_file, tmp_path):
    make_index(tmp_path / "added.index", dimension=768, vectors=500)
    told = []
    voice = add_voice(voice_file, store, index=tmp_path / "added.index", on_progress=told.append)
    assert store.names() == ["Checkable"]
    assert store.find("Checkable") == voice
    assert (voice.name, voice.version, voice.sample_rate_hz, voice.has_pitch) == ("Checkable", "v2", 40_000, True)
    assert voice.source_sha256 == hashlib.sha256(voice_file.read_bytes()).hexdigest()
    assert sorted(path.name for path in store.folder_of(voice).iterdir()) == [
        "model.index",
        "model.safetensors",
        "voice.toml",
    ]
    assert told == sorted(told)
    assert told[-1] == 1
    assert [path.name for path in store.folder.iterdir()] == ["Checkable"]
    with pytest.raises(UsageError, match="already"):
        add_voice(voice_file, store)
    assert add_voice(voice_file, store, name="Other").name == "Other"


def test_every_kind_comes_in_and_leaves_as_ultimate_rvc_loads_it(tmp_path):
    """What is written for it holds the same numbers as what came in."""
    kinds = [(version, rate_hz, has_pitch) for version, rate_hz in UPSAMPLING for has_pitch in (True, False)]
    files = [tmp_path / f"{number}.pth" for number in range(len(kinds))]
    for file, (version, rate_hz, has_pitch) in zip(files, kinds, strict=True):
        make_voice(file, version=version, rate_hz=rate_hz, has_pitch=has_pitch, speakers=3)
    assert problems(files, tmp_path) == [None] * len(kinds)
    check = """
import sys, torch
from pathlib import Path
from rwc_pw.rvc.checkpoint_writer import write_checkpoint

for number in range(int(sys.argv[2])):
    folder = Path(sys.argv[1])
    write_checkpoint(folder / f"out-{number}", folder / "written.pth")
    came, written = (torch.load(folder / name, weights_only=True) for name in (f"{number}.pth", "written.pth"))
    assert came["weight"].keys() == written["weight"].keys()
    assert all(torch.equal(came["weight"][name], written["weight"][name]) for name in came["weight"])
    assert all(came[key] == written[key] for key in ("config", "sr", "f0", "version"))
"""
    done = subprocess.run(
        [sys.executable, "-c", check, str(tmp_path), str(len(kinds))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_newer_names_of_weight_normalisation_are_known(tmp_path, voice_file):
    import torch

    voice = torch.load(voice_file, weights_only=True)
    newer = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
    for old, new in newer.items():
        voice["weight"] = {name.replace(old, new): weight for name, weight in voice["weight"].items()}
    voice["weight"]["enc_q.pre.weight"] = torch.zeros(3)  # which only training needs
    torch.save(voice, tmp_path / "newer.pth")
    assert problems([tmp_path / "newer.pth"], tmp_path) == [None]


def test_a_voice_comes_in_without_torch_and_in_the_older_form_too(store, voice_file, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(importing, "INSPECTOR", ("-P", "-c", WITHOUT_TORCH))
    torch.save(torch.load(voice_file), tmp_path / "older.pth", _use_new_zipfile_serialization=False)
    voices = [add_voice(path, store) for path in (voice_file, tmp_path / "older.pth")]
    (weights, metadata), (older, same) = (read_stored(store.folder_of(voice)) for voice in voices)
    assert metadata == same
    assert weights.keys() == older.keys()
    for name, weight in weights.items():
        np.testing.assert_array_equal(older[name], weight, strict=True)


def test_bfloat16_is_widened_wherever_it_is(voice_file, tmp_path):
    import torch
    from safetensors.torch import save_file

    voice = torch.load(voice_file)
    voice["weight"] = {name: weight.bfloat16() for name, weight in voice["weight"].items()}
    torch.save(voice, tmp_path / "wide.pth")
    assert problems([tmp_path / "wide.pth"], tmp_path) == [None]
    (tmp_path / "earlier").mkdir()
    save_file(voice["weight"], tmp_path / "earlier/model.safetensors", {"f0": "1"})
    for stored in (tmp_path / "out-0", tmp_path / "earlier"):
        weights, metadata = read_stored(stored)
        assert metadata["f0"] == "1"
        assert weights.keys() == voice["weight"].keys()
        for name, weight in voice["weight"].items():
            np.testing.assert_array_equal(weights[name], weight.float().numpy(), strict=True)


def test_no_gadget_runs(tmp_path, voice_file):
    canary = tmp_path / "canary"
    named = list(gadgets(canary))
    assert len(named) >= 40
    files = [tmp_path / f"{number}.pth" for number in range(len(named))]
    for file, (_, pickled) in zip(files, named, strict=True):
        with_pickle(voice_file, file, pickled)
    assert_refused(problems(files, tmp_path), [name for name, _ in named])
    assert not canary.exists()


def test_what_lies_about_itself_is_refused(tmp_path, voice_file):
    import torch

    named = list(lies(torch.load(voice_file, weights_only=True)))
    files = [tmp_path / f"{number}.pth" for number in range(len(named))]
    for file, (_, voice) in zip(files, named, strict=True):
        torch.save(voice, file)
    assert_refused(problems(files, tmp_path), [name for name, _ in named])


def disguises(folder: Path, voice_file: Path) -> dict[str, Path]:
    """Files that are no voice at all, or damaged ones."""
    import tarfile

    import torch

    whole = voice_file.read_bytes()
    contents = {
        "empty": b"",
        "a web page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
        "a web page after blanks": b"\n\n  <html>",
        "text": b"hello",
        "a pickle": b"cos\nsystem\n(S'true'\ntR.",
        "noise": os.urandom(5000),
        "a text before it": b"x" * 4096 + whole,
        **{f"cut at {cut}": whole[:cut] for cut in (1, 4, 30, 100, 1000, 10_000, len(whole) // 2, -200, -22, -1)},
    }
    files = {name: folder / f"disguise-{number}.pth" for number, name in enumerate(contents)}
    for name, file in files.items():
        file.write_bytes(contents[name])
    files["legacy"] = folder / "legacy.pth"
    torch.save({"weight": {}}, files["legacy"], _use_new_zipfile_serialization=False)
    files["legacy tar"] = folder / "tar.pth"
    with tarfile.open(files["legacy tar"], "w") as archive:
        archive.add(voice_file, "pickle")
    with zipfile.ZipFile(voice_file) as source:
        parts = {entry.filename: source.read(entry) for entry in source.infolist()}
    for name, compression, extra in (
        ("compressed", zipfile.ZIP_DEFLATED, {}),
        ("a bomb", zipfile.ZIP_DEFLATED, {"archive/data/99": bytes(50_000_000)}),
        ("two pickles", zipfile.ZIP_STORED, {"other/data.pkl": b"."}),
        ("a great pickle", zipfile.ZIP_STORED, {next(key for key in parts if key.endswith(".pkl")): bytes(5_000_000)}),
    ):
        files[name] = folder / f"{name}.pth"
        with zipfile.ZipFile(files[name], "w", compression) as archive:
            for part, content in (parts | extra).items():
                archive.writestr(part, content)
    return files


def test_what_is_no_voice_at_all_is_refused(tmp_path, voice_file):
    files = disguises(tmp_path, voice_file)
    assert_refused(problems(list(files.values()), tmp_path), list(files))


def indexes(folder: Path) -> dict[str, Path]:
    """Indexes that do not belong to a voice of v2."""
    import faiss

    vectors = np.random.default_rng(0).standard_normal((500, 768), np.float32)
    made = {"of another kind": faiss.IndexHNSWFlat(768, 8), "of NaN": faiss.IndexFlatL2(768)}
    made["of another kind"].add(vectors)
    made["of NaN"].add(vectors * np.nan)
    made["of nothing"] = faiss.IndexFlatL2(768)
    files = {name: folder / f"{name}.index" for name in (*made, "of v1", "a page", "cut", "empty", "noise")}
    for name, index in made.items():
        faiss.write_index(index, str(files[name]))
    files |= crashing(folder, vectors)
    make_index(files["of v1"], dimension=256, vectors=500)
    make_index(folder / "whole.index", dimension=768, vectors=500)
    files["a page"].write_text("<html>")
    files["cut"].write_bytes((folder / "whole.index").read_bytes()[:-1000])
    files["empty"].touch()
    files["noise"].write_bytes(b"IwFl" + os.urandom(3000))
    return files


def crashing(folder: Path, vectors: Any) -> dict[str, Path]:
    """Indexes that end the process that searches them."""
    import faiss

    whole, wide, many = faiss.index_factory(768, "IVF4,Flat"), faiss.IndexFlatL2(1 << 16), faiss.IndexFlatL2(768)
    graph, files = faiss.IndexHNSWFlat(768, 8), {}
    whole.train(vectors)
    wide.add(np.zeros((4, 1 << 16), np.float32))
    many.add(vectors)
    graph.add(vectors[:4])
    usual = np.arange(len(vectors))
    for name, quantizer, ids in (
        ("of another width inside", wide, usual),
        ("of more centroids than lists", many, usual),
        ("of a graph inside", graph, usual),
        ("of ids far away", whole.quantizer, usual + 10**12),
        ("of ids below", whole.quantizer, usual - 1),
        ("of ids twice", whole.quantizer, usual // 2),
    ):
        index = faiss.IndexIVFFlat(whole.quantizer, 768, 4)
        index.add_with_ids(vectors, ids)
        index.quantizer = quantizer
        files[name] = folder / f"{name}.index"
        faiss.write_index(index, str(files[name]))
        index.quantizer = whole.quantizer
    return files


def test_an_index_that_does_not_fit_is_left_out(tmp_path, voice_file):
    found = indexes(tmp_path)
    answers = problems([voice_file] * len(found), tmp_path, list(found.values()))
    told = dict(zip(found, answers, strict=True))
    assert {
        name: answer for name, answer in told.items() if not (answer or "").startswith("comes with an index ")
    } == {}
    assert "index of 256 features" in told["of v1"]
    assert list(tmp_path.glob("out-*/*.index")) == []


INSPECTORS = {"is refused": importing.INSPECTOR, "ends its reader": ("-P", "-c", ENDED_BY_AN_INDEX)}


@pytest.mark.parametrize("inspector", INSPECTORS.values(), ids=INSPECTORS)
def test_an_index_that_is_left_out_is_told(store, tmp_path, voice_file, monkeypatch, inspector):
    monkeypatch.setattr(importing, "INSPECTOR", inspector)
    (tmp_path / "empty.index").touch()
    told = []
    voice = add_voice(voice_file, store, index=tmp_path / "empty.index", tell=told.append)
    assert not voice.has_index
    assert list(store.folder_of(voice).glob("*.index")) == []
    (sentence,) = told
    assert sentence.startswith("Its index is left out: the voice comes with an index ")


def test_a_name_that_cannot_be_or_is_taken_is_changed_and_told(store, tmp_path, voice_file):
    odd = tmp_path / "a`b\n.pth"
    odd.write_bytes(voice_file.read_bytes())
    other = tmp_path / "robot.pth"
    other.write_bytes(voice_file.read_bytes())
    told = []
    assert [add_voice(path, store, tell=told.append).name for path in (odd, other)] == ["a b", "robot (2)"]
    assert "the voice is called a b" in told[0]
    assert "is taken: the voice is called robot (2)" in told[1]


def test_which_state_of_its_training_is_taken_is_told(store, tmp_path, voice_file):
    for epoch in (9, 10):
        (tmp_path / f"Ann_e{epoch}_s{epoch}00.pth").write_bytes(voice_file.read_bytes())
    told = []
    assert add_voice(tmp_path, store, tell=told.append).name == "Ann_e10_s1000"
    assert told == ["Of 2 states of its training, the last is taken: 'Ann_e10_s1000.pth'."]


def test_an_index_of_rvcs_training_is_stored_as_it_is_and_found_in_as_faiss_finds(tmp_path, voice_file):
    import faiss

    from rwc_pw.rvc.retrieval import NEIGHBOURS, Retrieval

    make_index(tmp_path / "came.index", dimension=768, vectors=500)
    assert problems([voice_file], tmp_path, [tmp_path / "came.index"]) == [None]
    stored = tmp_path / "out-0/model.index"
    assert stored.read_bytes() == (tmp_path / "came.index").read_bytes()
    index, retrieval = faiss.read_index(str(stored)), Retrieval(stored)
    features = np.random.default_rng(1).standard_normal((40, 768), np.float32)
    np.testing.assert_array_equal(retrieval.features, index.reconstruct_n(0, 500))
    found, expected = retrieval._index.search(features, NEIGHBOURS), index.search(features, NEIGHBOURS)
    np.testing.assert_array_equal(found, expected)


def test_a_refused_voice_leaves_nothing_and_is_told_in_a_sentence(store, tmp_path, voice_file):
    canary = tmp_path / "canary"
    with_pickle(voice_file, tmp_path / "evil.pth", dict(gadgets(canary))["os.system"])
    (tmp_path / "page.pth").write_text("<html>")
    for name, told in (("evil", "would run code"), ("page", "is a web page")):
        with pytest.raises(RwcPwError, match=told) as error:
            add_voice(tmp_path / f"{name}.pth", store)
        assert "\n" not in error.value.message
        assert error.value.remedy
    assert not canary.exists()
    assert list(store.folder.iterdir()) == []


def test_what_a_killed_import_left_behind_is_swept(store, voice_file):
    left = store.folder / ".adding-left"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    (left / "source.pth").touch()
    add_voice(voice_file, store)
    assert [path.name for path in store.folder.iterdir()] == ["Checkable"]


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_changed_in_a_voice_it_comes_in_sound_or_not_at_all(tmp_path, voice_file, data):
    """In this process: whatever the inspector would raise besides its own refusal would end it."""
    with zipfile.ZipFile(voice_file) as source:
        parts = {entry.filename: source.read(entry) for entry in source.infolist()}
    name = next(key for key in parts if key.endswith("/data.pkl"))
    pickled = bytearray(parts[name])
    for at in data.draw(st.lists(st.integers(0, len(pickled) - 1), min_size=1, max_size=4)):
        pickled[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.pth"
    with_pickle(voice_file, path, bytes(pickled))
    try:
        _, weights = read_checkpoint(path)
    except BadVoiceError:
        return
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_a_voice_is_fetched_from_an_address_and_gone_on_with_after_a_cut(voice_file, tmp_path):
    with zipfile.ZipFile(tmp_path / "shared.zip", "w") as archive:
        archive.write(voice_file, "Fetched/Fetched.pth")
    shared = (tmp_path / "shared.zip").read_bytes()
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}

    def voices(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = (sys.executable, "-P", "-m", "rwc_pw", "voices", *arguments)
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    with serving() as server:
        server.content = shared
        url = server.url.replace("file.bin", "Fetched.zip")
        wrong = voices("add", url, "--sha256", "0" * 64)
        assert wrong.returncode == 1
        assert "is not the file that it should be" in wrong.stderr
        assert "Traceback" not in wrong.stderr
        server.cut_at = len(shared) // 2
        assert voices("add", url).returncode == 69
        server.cut_at = None
        assert "Fetched" not in voices("list").stdout
        done = voices("add", url, "--sha256", hashlib.sha256(shared).hexdigest())
    try:
        assert "Fetched is here" in done.stdout, done.stderr
        assert server.asked[-1][1] == f"bytes={len(shared) // 2 - 1}-"  # the last byte, to know it by
        assert list((tmp_path / "state").rglob("*.zip*")) == []
    finally:
        voices("remove", "Fetched", "--yes")


MISSING = "It cannot speak yet: RVC model files are missing: FCPE, ContentVec, ContentVec's shape. Run `rwc-pw setup`."
USE = "peak in it with `rwc-pw use 'My Singer'`."


@pytest.mark.parametrize(("is_complete", "told"), [(False, f"{MISSING}\nThen s{USE}"), (True, f"S{USE}")])
def test_who_adds_a_voice_is_told_how_to_speak_in_it(voice_file, assets_dir, tmp_path, is_complete, told):
    shutil.copyfile(voice_file, tmp_path / "My Singer.pth")
    config = tmp_path / ".config/rwc-pw/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'rvc_models = "{assets_dir if is_complete else tmp_path}"\n')
    environment = {**os.environ, "HOME": str(tmp_path)}
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        environment.pop(f"XDG_{name}_HOME", None)

    def voices(*arguments: str) -> str:
        argv = (sys.executable, "-P", "-m", "rwc_pw", "voices", *arguments)
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout

    try:
        added = voices("add", str(tmp_path / "My Singer.pth"))
    finally:
        voices("remove", "My Singer", "--yes")  # from the checkout, where the program runs from there
    assert added == f"My Singer is here: RVC v2, 40 kHz, no index.\n{told}\n"

"""Where voices are kept, and what is chosen of what people share; nothing here is read by PyTorch."""

import io
import os
import stat
import struct
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rwc_pw.errors import RwcPwError, UsageError
from rwc_pw.voices.adding.source import copy_source, file_sha256, place_of
from rwc_pw.voices.adding.stored_folder import stored_folder
from rwc_pw.voices.rvc_voice import RvcVoice
from rwc_pw.voices.store import VoiceStore

VOICE = RvcVoice("Ann", "v2", 40_000, True, 1, False, "ab" * 32)


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    (tmp_path / "models").mkdir()
    return VoiceStore(tmp_path / "models")


def adopt(store: VoiceStore, voice: RvcVoice) -> None:
    folder = store.folder.parent / "made"
    folder.mkdir()
    store.adopt(folder, voice)


def test_a_voice_is_found_by_its_name_and_by_its_source(store: VoiceStore) -> None:
    adopt(store, VOICE)
    adopt(store, replace(VOICE, name="Bob", source_sha256="cd" * 32))
    assert store.names() == ["Ann", "Bob"]
    assert store.find("Ann") == VOICE
    found = store.find_source("cd" * 32)
    assert found is not None
    assert found.name == "Bob"
    assert store.find_source("ef" * 32) is None


def test_a_voice_that_is_not_there_is_told_with_the_closest(store: VoiceStore) -> None:
    adopt(store, VOICE)
    with pytest.raises(UsageError, match="no RVC voice 'Anne'") as error:
        store.find("Anne")
    assert error.value.remedy == "Did you mean Ann?"


def test_of_a_voice_that_lies_elsewhere_only_the_link_is_removed(store: VoiceStore, tmp_path: Path) -> None:
    adopt(store, VOICE)
    (store.folder / "Ann").rename(tmp_path / "elsewhere")
    (store.folder / "Ann").symlink_to(tmp_path / "elsewhere")
    store.remove("Ann")
    assert list(store.folder.iterdir()) == []
    assert (tmp_path / "elsewhere/voice.toml").is_file()


def test_what_is_not_ours_is_no_voice_and_stays(store: VoiceStore) -> None:
    (store.folder / "mine").mkdir()
    (store.folder / "README.md").touch()
    assert store.names() == []
    with pytest.raises(UsageError):
        store.remove("mine")
    assert (store.folder / "mine").is_dir()


def test_a_removed_voice_is_gone_with_its_folder(store: VoiceStore) -> None:
    adopt(store, VOICE)
    store.remove("Ann")
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a" * 65, "a\nb", "-x", "robot", "Ann"]
)
def test_a_name_that_cannot_be_is_refused(store: VoiceStore, name: str) -> None:
    adopt(store, VOICE)
    with pytest.raises(UsageError):
        store.check_new(name)


@pytest.mark.parametrize("text", ["", "name = 1", "version = 'v2'\n[", "\ud800", "version = 2"])
def test_a_damaged_description_is_told(store: VoiceStore, text: str) -> None:
    adopt(store, VOICE)
    (store.folder / "Ann/voice.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RwcPwError, match="cannot be used"):
        store.find("Ann")
    adopt(store, replace(VOICE, name="Bert", source_sha256="b" * 64))
    found = store.find_source("b" * 64)
    assert found is not None
    assert found.name == "Bert"
    store.remove("Ann")
    assert store.names() == ["Bert"]


@pytest.mark.parametrize(
    ("key", "line", "told"),
    [
        ("sample_rate_hz", 'sample_rate_hz = "40k"', "sample_rate_hz is '40k'"),
        ("speakers", "speakers = true", "speakers is True"),
        ("version", "", "version is missing"),
    ],
)
def test_which_entry_of_a_description_is_wrong_is_told(store: VoiceStore, key: str, line: str, told: str) -> None:
    adopt(store, VOICE)
    change(store.folder / "Ann/voice.toml", key, line)
    with pytest.raises(RwcPwError, match=told):
        store.find("Ann")


def test_a_licence_may_be_left_out(store: VoiceStore) -> None:
    adopt(store, VOICE)
    change(store.folder / "Ann/voice.toml", "licence", "")
    assert store.find("Ann") == VOICE


def change(description: Path, key: str, line: str) -> None:
    lines = description.read_text().splitlines()
    description.write_text("\n".join(line if text.startswith(f"{key} =") else text for text in lines))


def test_a_voice_is_meant_by_its_name_before_any_folder_and_by_a_path_from_here(
    store: VoiceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for voice in (VOICE, replace(VOICE, name="Bert")):
        adopt(store, voice)
    monkeypatch.chdir(store.folder / "Ann")
    assert stored_folder(Path("Bert"), store) == store.folder / "Bert"
    assert stored_folder(Path("voice.toml"), store) == store.folder / "Ann"
    monkeypatch.chdir(store.folder.parent)
    assert stored_folder(Path(store.folder.name, "Ann"), store) == store.folder / "Ann"


def shared(folder: Path, **files: bytes) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def test_of_a_folder_what_is_for_use_is_taken(tmp_path: Path) -> None:
    source = shared(
        tmp_path / "Ann", Ann__pth=b"model", G_200__pth=b"no", trained_x__index=b"no", added_x__index=b"index"
    )
    copied = copy_source(source, None, shared(tmp_path / "to"))
    assert (copied.name, copied.model.read_bytes()) == ("Ann", b"model")
    assert copied.index is not None
    assert copied.index.read_bytes() == b"index"
    assert copied.sha256 == file_sha256(source / "Ann.pth")


def test_a_model_is_called_after_its_folder(tmp_path: Path) -> None:
    source = shared(tmp_path / "Ann", model__pth=b"model")
    assert copy_source(source / "model.pth", None, shared(tmp_path / "to")).name == "Ann"


@pytest.mark.parametrize(
    ("files", "told"),
    [({}, "no voice"), ({"G_1__pth": b""}, "no voice"), ({"a__pth": b"", "b__pth": b""}, "several voices")],
)
def test_a_folder_without_a_single_model_is_refused(tmp_path: Path, files: dict[str, bytes], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        copy_source(shared(tmp_path / "Ann", **files), None, shared(tmp_path / "to"))


def test_of_a_zip_only_the_voice_leaves_and_to_our_own_names(tmp_path: Path) -> None:
    path = tmp_path / "shared.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../../escape.pth", b"model")
        archive.writestr("/etc/added_x.index", b"index")
        archive.writestr("../readme.txt", b"no")
    to = shared(tmp_path / "to")
    copied = copy_source(path, None, to)
    assert sorted(path.name for path in to.iterdir()) == ["source.index", "source.pth"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared.zip", "to"]
    assert copied.model.read_bytes() == b"model"


def linked(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([("inner.zip", b"PK")], "damaged"),
        ([("a.zip", b"PK"), ("b.zip", b"PK")], "no voice"),
        ([("a.pth", b"1"), ("b/c.pth", b"2")], "several voices"),
        ([(linked("a.pth"), b"/etc/passwd")], "link or encrypted"),
        ([("a.pth", b"\0" * 10_000_000)], "unpack to far more"),
        ([("a.pth", b"1"), (linked("a.index"), b"/dev/zero")], "link or encrypted"),
    ],
    ids=["nested", "two nested", "several", "link", "bomb", "linked index"],
)
def test_a_hostile_zip_is_refused(tmp_path: Path, entries, told: str) -> None:
    path = tmp_path / "shared.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    with pytest.raises(RwcPwError, match=told):
        copy_source(path, None, shared(tmp_path / "to"))


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return content.getvalue()


@pytest.mark.parametrize(("model", "name"), [("Ann__pth", "Ann"), ("model__pth", "Bert"), ("Eve/model__pth", "Eve")])
def test_a_zip_in_a_zip_is_opened(tmp_path: Path, model: str, name: str) -> None:
    path = tmp_path / "download.zip"
    inner = zipped(**{model: b"model", "added__index": b"index"})
    path.write_bytes(zipped(readme__txt=b"", Bert__zip=inner, **{"__MACOSX/._Bert.zip": b"no"}))
    copied = copy_source(path, None, to := shared(tmp_path / "to"))
    assert (copied.name, copied.model.read_bytes()) == (name, b"model")
    assert sorted(path.name for path in to.iterdir()) == ["source.index", "source.pth"]


def test_what_is_beside_a_voice_in_a_zip_is_left_closed(tmp_path: Path) -> None:
    path = tmp_path / "download.zip"
    path.write_bytes(zipped(Ann__pth=b"model", more__zip=zipped(Bert__pth=b"no")))
    assert copy_source(path, None, shared(tmp_path / "to")).name == "Ann"


def test_a_zip_in_a_zip_in_a_zip_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "download.zip"
    path.write_bytes(zipped(a__zip=zipped(b__zip=zipped(Ann__pth=b"model"))))
    with pytest.raises(UsageError, match="no voice"):
        copy_source(path, None, shared(tmp_path / "to"))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("初音ミク.pth".encode("cp932"), "初音ミク"),
        ("ソプラノ.pth".encode("cp932"), "ソプラノ"),  # its first letter ends in a backslash
        ("表.pth".encode("cp932"), "表"),
        ("声\\初音ミク.pth".encode("cp932"), "初音ミク"),
        ("Zoë.pth".encode("cp437"), "Zoë"),
        ("Château.pth".encode("cp437"), "Château"),
        ("声.pth".encode("gbk"), "╔∙"),
        ("Zoë.pth".encode(), "Zoë"),
        (b"\x8b\xff\xfe.pth", "ï\xa0■"),
    ],
)
def test_a_name_in_a_zip_in_whatever_encoding_refuses_no_voice(tmp_path: Path, raw: bytes, name: str) -> None:
    stand_in = "x" * len(raw)
    path = tmp_path / "shared.zip"
    path.write_bytes(zipped(**{stand_in: b"model"}).replace(stand_in.encode(), raw))
    copied = copy_source(path, None, shared(tmp_path / "to"))
    assert copied.model.read_bytes() == b"model"
    assert copied.name == name


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        (["Ann_e100_s2000__pth", "Ann_e200_s4000__pth", "Ann_e90_s1800__pth"], "Ann_e200_s4000"),
        (["Ann_e200_s4000__pth", "ann__pth"], "ann"),
        (["Ann_200e_4000s__pth", "Ann_80e_1600s_best_epoch__pth"], "Ann_80e_1600s_best_epoch"),
        (["Ann_e5__pth", "Ann_e10__pth"], "Ann_e10"),
    ],
)
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "folder"])
def test_of_several_states_of_training_the_last_is_taken_and_told(
    tmp_path: Path, files: list[str], taken: str, is_zip: bool
) -> None:
    contents = {name: name.encode() for name in files} | {"added_ann__index": b"index", "added_x__index": b"no"}
    source = tmp_path / "shared.zip"
    if is_zip:
        source.write_bytes(zipped(**contents))
    else:
        source = shared(tmp_path / "shared", **contents)
    copied = copy_source(source, None, shared(tmp_path / "to"))
    assert (copied.name, copied.model.read_bytes()) == (taken, f"{taken}__pth".encode())
    assert copied.told == f"Of {len(files)} states of its training, the last is taken: '{taken}.pth'."
    assert copied.index
    assert copied.index.read_bytes() == b"index"


@pytest.mark.parametrize("files", [["Ann_e1__pth", "Bert_e2__pth"], ["a/Ann__pth", "b/Ann__pth"]])
def test_of_several_voices_none_is_taken(tmp_path: Path, files: list[str]) -> None:
    source = tmp_path / "shared.zip"
    source.write_bytes(zipped(**dict.fromkeys(files, b"")))
    with pytest.raises(UsageError, match="several voices"):
        copy_source(source, None, shared(tmp_path / "to"))


def test_a_zip_of_very_many_entries_is_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    """In memory, an entry takes ten times its 47 bytes in the archive."""
    entry = struct.pack("<4s4B4H3L5H2L", b"PK\1\2", 20, 0, 20, *[0] * 8, 1, *[0] * 6) + b"x"
    entries = entry * 150_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entries), 0, 0)
    (tmp_path / "shared.zip").write_bytes(entries + end)
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="more files in it than a voice"):
            copy_source(tmp_path / "shared.zip", None, shared(tmp_path / "to"))
        assert tracemalloc.get_traced_memory()[1] < len(entries) + 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_whose_content_is_damaged_is_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "shared.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.pth", bytes(range(256)) * 40)
    whole = bytearray(path.read_bytes())
    whole[40:80] = b"\xff" * 40
    path.write_bytes(whole)
    with pytest.raises(RwcPwError, match="damaged"):
        copy_source(path, None, shared(tmp_path / "to"))


@pytest.mark.parametrize("cut", [0, 10, 60, -10])
def test_a_zip_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "shared.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.pth", b"model" * 100)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RwcPwError, match="damaged, or no zip"):
        copy_source(path, None, shared(tmp_path / "to"))


def test_what_is_no_file_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    for source in (tmp_path / "pipe.pth", Path("/dev/zero"), tmp_path / "none.pth"):
        with pytest.raises(UsageError):
            copy_source(source, None, shared(tmp_path / f"to-{source.name}"))


@pytest.mark.parametrize("folders", ["Ann/Ann", "a/b/c"])
def test_a_voice_is_found_in_folders_in_folders_without_what_systems_leave_there(tmp_path: Path, folders: str) -> None:
    inner = tmp_path / "Shared" / folders
    inner.mkdir(parents=True)
    (inner / "Ann.PTH").write_bytes(b"model")
    (inner / "added_x.INDEX").write_bytes(b"index")
    for left in ("._Ann.pth", "__MACOSX/Ann.pth", ".Trash/Bob.pth", "Thumbs.db"):
        path = inner / left
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no")
    copied = copy_source(tmp_path / "Shared", None, shared(tmp_path / "to"))
    assert (copied.name, copied.model.read_bytes()) == ("Ann", b"model")
    assert copied.index is not None


@pytest.mark.parametrize("name", ["Singer\\Ann.pth", "C:\\voices\\Ann.pth", "Singer/Ann.PTH"])
@pytest.mark.parametrize("called", ["shared.zip", "shared", "shared.pth"])
def test_a_zip_is_one_by_its_content_whoever_packed_it(tmp_path: Path, name: str, called: str) -> None:
    with zipfile.ZipFile(tmp_path / called, "w") as archive:
        archive.writestr(name, b"model")
        archive.writestr("__MACOSX/Singer/._Ann.pth", b"no")
        archive.writestr("G_2333.pth", b"no")
    copied = copy_source(tmp_path / called, None, shared(tmp_path / "to"))
    assert (copied.name, copied.model.read_bytes()) == ("Ann", b"model")


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\0", b"\x1f\x8b\x08"])
def test_another_archive_is_told_to_be_unpacked(tmp_path: Path, magic: bytes) -> None:
    (tmp_path / "Ann.zip").write_bytes(magic + b"x" * 600)
    with pytest.raises(UsageError, match="archive of the kind") as error:
        copy_source(tmp_path / "Ann.zip", None, shared(tmp_path / "to"))
    assert "Unpack" in error.value.remedy


def test_a_place_is_understood_as_file_managers_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place_of("file:///a%20b/c.pth") == Path("/a b/c.pth")
    assert place_of("'/a b/c.pth' ") == Path("/a b/c.pth")
    assert place_of("~/c.pth") == tmp_path / "c.pth"
    assert place_of("https://example.org/c.pth") is None

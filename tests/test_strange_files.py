"""Whatever lies where a file should be, it is told and named; nothing waits, and no voice hides others."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rwc_pw.config import load_config, save_config
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.errors import ConfigError, RwcPwError, UsageError
from rwc_pw.streaming import BatchConverter, StreamingConverter
from rwc_pw.system.reading import MOST_TEXT_BYTES, open_file, read_text
from rwc_pw.system.sound_file import MOST_RATE_HZ, open_sound, read_mono
from rwc_pw.voice_converter import VoiceConverter
from rwc_pw.voices.rvc_voice import MODEL_FILE, RvcVoice
from rwc_pw.voices.store import VoiceStore

DIGITS, HEXADECIMAL = "9" * 6000, "0x" + "f" * 6000
VOICE = RvcVoice("Ann", "v2", 40_000, True, 1, False, "ab" * 32)


@pytest.fixture(params=["pipe", "device", "socket", "folder", "link to a pipe", "nothing", "NUL", "long", "large"])
def strange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """What is no file that can be read."""
    path, kind = tmp_path / "strange", request.param
    listening = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "socket":
        listening.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    elif kind == "NUL":
        path = tmp_path / "a\0b"
    elif kind == "long":
        path = tmp_path / ("a" * 5000)
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(MOST_TEXT_BYTES + 1)
    yield path
    listening.close()


def test_what_is_no_file_is_told_and_nothing_waits(strange: Path) -> None:
    with pytest.raises(OSError, match=r".") as error:
        read_text(strange)
    assert error.value.strerror


def test_what_is_no_sound_file_is_told_and_nothing_waits(strange: Path) -> None:
    with pytest.raises(UsageError, match=r"strange|/dev/zero|a\0b|aaa"):
        open_sound(strange)


def test_what_is_no_configuration_is_told_and_nothing_waits(strange: Path) -> None:
    if "\0" not in str(strange) and (os.path.lexists(strange) or len(strange.name) > 255):  # else there is none
        with pytest.raises(ConfigError, match=r"Cannot read .*(strange|zero|aaa)"):
            load_config(strange)


def test_a_descriptor_of_what_is_no_file_is_closed(tmp_path: Path) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="directory"):
        open_file(tmp_path)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(1 << 31, 1), ((1 << 31) - 1, 1), (999, 1), (MOST_RATE_HZ + 1, 1), (48_000, 1000)]
)
def test_sound_that_declares_what_none_has_is_refused(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = tmp_path / "wide.wav"
    soundfile.write(path, np.zeros((8, min(channels, 1000))), 48_000, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate_hz)
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"wide\.wav"):
        open_sound(path)


def test_sound_is_mixed_to_mono_as_far_as_there_is_some(tmp_path: Path) -> None:
    both = np.random.default_rng(0).uniform(-1, 1, (200_000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "both.wav", both, 48_000, subtype="FLOAT")
    with open_sound(tmp_path / "both.wav") as sound:
        np.testing.assert_array_equal(read_mono(sound, 150_000), both[:150_000].mean(axis=1))
        np.testing.assert_array_equal(read_mono(sound, 1 << 40), both[150_000:].mean(axis=1))
        assert read_mono(sound, 5).shape == (0,)


@pytest.mark.parametrize(
    "text",
    [f"pitch = {DIGITS}", f"pitch = {HEXADECIMAL}", f"chunk_size = {HEXADECIMAL}", f"voice = {HEXADECIMAL}"]
    + [f"{key} = {'[' * 5000}{']' * 5000}" for key in ("voice", "strange")]
    + [f"voice = {'[' * 300}{']' * 300}", "pitch = inf", "voice = '\\ud800'", "[voice]\na = 1", "a.b.c = 1", "\0"],
)
def test_a_configuration_of_anything_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.toml") as error:
        load_config(path)
    assert len(error.value.message) < 1000
    for key in ("voice", "pitch"):
        with suppress(ConfigError):
            save_config(path, {key: "deeper" if key == "voice" else 2.0})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("speakers", HEXADECIMAL),
        ("speakers", DIGITS),
        ("speakers", "0"),
        ("sample_rate_hz", HEXADECIMAL),
        ("sample_rate_hz", "-1"),
        ("version", '"v3"'),
        ("version", "2"),
        ("has_index", '"yes"'),
        ("licence", "[" * 5000 + "]" * 5000),
        ("licence", "1979-05-27"),
    ],
)
def test_one_bad_voice_is_named_and_hides_no_other(tmp_path: Path, key: str, value: str) -> None:
    store = VoiceStore(tmp_path)
    for name in ("Ann", "Bad"):
        (tmp_path / name).mkdir()
        VOICE.write(tmp_path / name)
    path = tmp_path / "Bad/voice.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key} ")]
    path.write_text("\n".join([*lines, f"{key} = {value}"]))
    with pytest.raises(RwcPwError, match=r"Bad/voice\.toml cannot be used"):
        store.find("Bad")
    assert store.find("Ann") == VOICE
    found = store.find_source(VOICE.source_sha256)
    assert found is not None
    assert found.name == "Ann"


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_changed_in_a_voice_file_it_is_read_or_named(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "Ann"
    folder.mkdir(exist_ok=True)
    VOICE.write(folder)
    content = bytearray((folder / "voice.toml").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    (folder / "voice.toml").write_bytes(content)
    with suppress(RwcPwError):
        assert RvcVoice.read(folder).description


@pytest.mark.parametrize(
    "text", ["[" * 100_000, f'{{"a": {DIGITS}}}', "[1]", '{"Ann|fcpe|cpu|0": [[]]}', "\xff", "null", ""]
)
def test_chosen_chunks_that_are_none_are_chosen_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "chunks.json"
    path.write_text(text, encoding="latin-1")
    chosen = ChosenChunks(path)
    conversion = ConversionConfig(model_path=tmp_path / "Ann", backend="streaming")
    assert chosen.get(conversion) is None
    chosen.forget("Ann")
    chosen.keep(conversion, 1920)
    assert ChosenChunks(path).get(conversion) == 1920


@pytest.mark.parametrize("make", [lambda _: None, os.mkfifo, os.mkdir], ids=["nothing", "pipe", "folder"])
@pytest.mark.parametrize(
    "open_voice",
    [
        lambda folder: VoiceConverter(folder).convert_voice("said.wav", "heard.wav"),
        lambda folder: StreamingConverter(ConversionConfig(model_path=folder, backend="streaming")).initialize(),
        lambda folder: BatchConverter(ConversionConfig(model_path=folder)).initialize(),
    ],
    ids=["file", "streaming", "batch"],
)
def test_a_voice_whose_weights_are_no_file_is_told_before_anybody_waits_for_them(tmp_path, make, open_voice):
    folder = tmp_path / VOICE.name
    folder.mkdir()
    VOICE.write(folder)
    make(folder / MODEL_FILE)
    with pytest.raises(RwcPwError, match=MODEL_FILE) as error:
        open_voice(folder)
    assert "voices remove Ann" in error.value.remedy

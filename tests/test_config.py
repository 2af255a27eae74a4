import os
from pathlib import Path

import pytest

from rwc_pw.config import Config, load_config, save_config
from rwc_pw.errors import EXIT_CONFIG, ConfigError, RwcPwError, UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rwc-pw" / "config.toml"


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def complaints(**values: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.from_values(values)
    return caught.value.message.splitlines()


def test_without_a_file_or_with_an_empty_one_all_is_as_declared(file):
    assert load_config(file) == Config()
    assert load_config(written(file, "# nothing\n")) == Config()


def test_what_the_file_says_holds(file):
    config = load_config(written(file, 'voice = "robot"\npitch = -3\ngain = 1.5\nchunk_size = 64\n'))
    assert config == Config(voice="robot", pitch=-3, gain=1.5, chunk_size=64)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("pich", 1.0, "pich: there is no such setting; did you mean pitch?"),
        ("zzz", 1.0, "zzz: there is no such setting; there are voice, pitch, formant, gain, gate, input_device, "),
        ("voice", "robt", "voice: there is no voice 'robt'; did you mean robot?"),
        ("voice", "zzz", "voice: there is no voice 'zzz'; there are deeper, brighter, "),
        ("input_device", "\udcff", "input_device: '\\udcff' is not a text."),
        ("input_device", "a\0b", "input_device: 'a\\x00b' is not a text."),
        ("voice", 7, "voice: 7 is not a text."),
        ("voice", ["robot"], "voice: ['robot'] is not a text."),
        ("input_device", True, "input_device: True is not a text."),
        ("input_channel", True, "input_channel: True is not a text."),
        *(
            ("input_channel", asked, f"input_channel: {asked!r} is not auto, mix or the number of a channel, 1 to 64.")
            for asked in ("0", "65", "-1", "1.5", "02", "", "left", "AUTO", "²")
        ),
        ("pitch", "2", "pitch: '2' is not a number."),
        ("pitch", True, "pitch: True is not a number."),
        ("chunk_size", True, "chunk_size: True is not a whole number."),
        ("chunk_size", 256.0, "chunk_size: 256.0 is not a whole number."),
        ("pin_volume", 1, "pin_volume: 1 is not true or false."),
        ("pin_volume", "on", "pin_volume: 'on' is not true or false."),
        ("gain", {}, "gain: {} is not a number."),
        ("pitch", float("nan"), "pitch: nan is not between -24 and 24."),
        ("gate", float("-inf"), "gate: -inf is not between -120 and 0."),
        ("rvc_models", "~no-such-user/models", "rvc_models: ~no-such-user/models is not an absolute path"),
        ("rvc_models", "models", "rvc_models: models is not an absolute path."),
    ],
)
def test_a_wrong_entry_is_told_with_what_would_be_right(key, value, complaint):
    (told,) = complaints(**{key: value})
    assert told.startswith(complaint)


@pytest.mark.parametrize("asked", ["auto", "mix", "1", "64"])
def test_a_channel_is_asked_for_by_its_number_or_a_word(asked):
    assert Config.from_values({"input_channel": asked}).input_channel == asked


def test_the_number_of_a_channel_may_be_written_as_a_number(file):
    assert load_config(written(file, "input_channel = 2\n")).input_channel == "2"
    assert save_config(file, {"gain": 1.0}).input_channel == "2"
    with pytest.raises(ConfigError, match="'0' is not auto, mix or"):
        load_config(written(file, "input_channel = 0\n"))
    with pytest.raises(ConfigError, match="True is not a text"):
        load_config(written(file, "input_channel = true\n"))


@pytest.mark.parametrize(
    ("key", "least", "most", "step"),
    [
        ("pitch", -20, 24, 0.1),  # the default voice takes four semitones of it
        ("formant", -10, 12, 0.1),
        ("gain", -60, 24, 0.1),
        ("gate", -120, 0, 0.1),
        ("chunk_size", 64, 16384, 1),
        ("quantum", 32, 8192, 1),
    ],
)
def test_the_ends_of_each_range_belong_to_it(key, least, most, step):
    assert getattr(Config.from_values({key: least}), key) == least
    assert getattr(Config.from_values({key: most}), key) == most
    for beyond in (least - step, most + step):
        assert (
            "semitones in all" in complaints(**{key: beyond})[0] or "is not between" in complaints(**{key: beyond})[0]
        )


@pytest.mark.parametrize("f0_method", ["auto", "swiftf0", "fcpe", "rmvpe"])
def test_what_finds_the_pitch_is_one_of_four(f0_method):
    config = Config.from_values({"voice": "Anna", "f0_method": f0_method}, ["Anna"])
    assert config.f0_method == f0_method
    assert Config().f0_method == "auto"


def test_what_finds_no_pitch_is_told():
    assert complaints(f0_method="rmpve") == ["f0_method: there is no f0 method 'rmpve'; did you mean rmvpe?"]


@pytest.mark.parametrize("change", [{"f0_method": "swiftf0"}, {"rvc_backend": "batch"}])
def test_what_the_backend_does_not_have_is_refused_whichever_is_changed(change):
    asked = {"f0_method": "swiftf0", "rvc_backend": "batch"}
    before = {"voice": "Anna", **asked, **{key: getattr(Config(), key) for key in change}}
    with pytest.raises(UsageError, match=r"f0_method: .* batch .* 'swiftf0'\. Choose one of auto, fcpe, rmvpe\."):
        Config.from_values(before, ["Anna"]).changed(change, ["Anna"])


def test_every_problem_is_told_together():
    told = complaints(voise="robot", pitch=99, chunk_size="big", quantum=256)
    assert [line.split(":")[0] for line in told] == ["voise", "pitch", "chunk_size"]


@pytest.mark.parametrize(
    "values", [{"pitch": 4.0, "formant": 2.0}, {"voice": "brighter", "pitch": -3, "formant": -1.5}]
)
def test_a_voice_that_would_be_the_users_own_is_refused(values):
    (told,) = complaints(**values)
    assert "would be your own" in told
    assert "rwc-pw bypass on" in told


def test_a_pitch_detector_that_the_backend_has_not_is_refused_where_an_rvc_voice_speaks():
    asked = {"voice": "Anna", "rvc_backend": "batch", "f0_method": "swiftf0"}
    with pytest.raises(ConfigError) as caught:
        Config.from_values(asked, ["Anna"])
    assert caught.value.message == (
        "f0_method: The backend batch does not find the pitch with 'swiftf0'. Choose one of auto, fcpe, rmvpe."
    )
    assert Config.from_values({**asked, "rvc_backend": "streaming"}, ["Anna"]).f0_method == "swiftf0"
    assert complaints(f0_method="swift") == ["f0_method: there is no f0 method 'swift'; did you mean swiftf0?"]


@pytest.mark.parametrize("text", ["pitch = \n", "pitch = 1\npitch = 2\n", "= 3", '"unclosed'])
def test_what_is_no_toml_is_said_with_its_place(file, text):
    with pytest.raises(ConfigError, match=r"config\.toml is not valid TOML: .*(line|end of document)") as caught:
        load_config(written(file, text))
    assert caught.value.exit_code == EXIT_CONFIG


@pytest.mark.parametrize("text", ["pitch = " + "9" * 5000, "pitch = " + "[" * 100_000], ids=["endless", "nested"])
def test_what_no_parser_takes_is_said_too(file, text):
    with pytest.raises(ConfigError, match=r"config\.toml is not valid TOML"):
        load_config(written(file, text))


def test_what_is_no_text_is_said(file):
    written(file, "").write_bytes(b'voice = "\xff"\n')
    with pytest.raises(ConfigError, match=r"config\.toml is not valid TOML: .*0xff"):
        load_config(file)


def test_a_file_that_cannot_be_read_is_said_so(file, monkeypatch):
    file.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"Cannot read .*config\.toml: Is a directory"):
        load_config(file)

    def denied(*_: object, **__: object) -> bytes:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr("rwc_pw.config.read_text", denied)
    with pytest.raises(ConfigError, match=r"Cannot read .*config\.toml: Permission denied") as caught:
        load_config(file)
    assert "permissions" in caught.value.remedy


def test_a_wrong_entry_names_the_file(file):
    with pytest.raises(ConfigError, match=r"config\.toml cannot be used:\npitch: 99 is not between") as caught:
        load_config(written(file, "pitch = 99\n"))
    assert str(file) in caught.value.remedy


COMMENTED = """\
# my voices
voice = "robot"  # for meetings

# softer
gain = -3
"""


def test_a_change_leaves_comments_and_all_other_lines(file):
    config = save_config(written(file, COMMENTED), {"gain": -6.0, "pitch": 2.5})
    assert file.read_text() == COMMENTED.replace("gain = -3", "gain = -6.0") + "pitch = 2.5\n"
    assert config == load_config(file) == Config(voice="robot", gain=-6.0, pitch=2.5)


def test_a_key_that_returns_to_its_default_goes(file):
    save_config(written(file, COMMENTED), {"gain": 0.0})
    assert "gain" not in file.read_text()
    assert "# softer" in file.read_text()
    assert load_config(file) == Config(voice="robot")


@pytest.mark.parametrize("text", ["gain = -3", "# my voices", "gain = -3\r\n"])
def test_a_last_line_without_an_end_is_no_trap(file, text):
    save_config(written(file, text), {"voice": "robot"})
    assert load_config(file).voice == "robot"
    assert file.read_text().startswith(text.strip())


def test_a_file_that_is_a_link_stays_one(file, tmp_path):
    kept = tmp_path / "dotfiles.toml"
    kept.write_text(COMMENTED)
    file.parent.mkdir()
    file.symlink_to(kept)
    save_config(file, {"voice": "giant"})
    assert file.is_symlink()
    assert load_config(kept).voice == "giant"


def test_the_first_change_makes_the_file(file):
    save_config(file, {"voice": "giant"})
    assert file.read_text() == 'voice = "giant"\n'


def test_a_refused_change_changes_nothing(file):
    written(file, COMMENTED)
    with pytest.raises(UsageError, match="gain: 99 is not between -60 and 24") as caught:
        save_config(file, {"gain": 99})
    assert caught.value.remedy == "Nothing was changed."
    assert file.read_text() == COMMENTED


def test_the_name_of_a_voice_that_is_no_more_is_replaced(file):
    written(file, 'voice = "Anna"\npitch = 2.5\n')
    with pytest.raises(ConfigError, match="there is no voice 'Anna'") as caught:
        save_config(file, {"gain": 1.0})
    assert "rwc-pw use deeper" in caught.value.remedy
    save_config(file, {"voice": "giant"})
    assert file.read_text() == 'voice = "giant"\npitch = 2.5\n'
    written(file, 'voice = "Anna"\npitsh = 2.5\n')
    with pytest.raises(ConfigError, match="did you mean pitch"):
        save_config(file, {"voice": "giant"})


def test_a_change_on_a_full_disk_leaves_the_old_file_and_no_crumbs(file, monkeypatch):
    written(file, COMMENTED)

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RwcPwError, match="No space left on device"):
        save_config(file, {"voice": "giant"})
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]
    assert file.read_text() == COMMENTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_and_changed_as_editors_leave_it(file, encoding):
    file.parent.mkdir()
    file.write_bytes('# mine\r\nvoice = "robot"\r\n'.encode(encoding))
    assert load_config(file).voice == "robot"
    save_config(file, {"pitch": 2.0})
    assert load_config(file) == Config(voice="robot", pitch=2.0)
    assert file.read_text(encoding="utf-8").startswith("# mine\n")

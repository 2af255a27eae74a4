"""Files in an RVC voice: as ultimate-rvc itself makes them, of any format and length."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rwc_pw import voice_converter
from rwc_pw.errors import UnavailableError, UsageError
from rwc_pw.voice_converter import VoiceConverter
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.rvc.checkable import make_index
from tests.rvc.reference import Reference
from tests.rvc.test_checkable import pitch_hz
from tests.rvc.tone import tone

pytestmark = pytest.mark.needs_rvc


def wav(sound) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, 48_000, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def stored(tmp_path_factory, voice_file):
    """A stored voice with an index."""
    folder = tmp_path_factory.mktemp("store")
    make_index(folder / "shared.index", dimension=768, vectors=500)
    store = VoiceStore(folder / "models")
    return store.folder_of(add_voice(voice_file, store, index=folder / "shared.index"))


@pytest.fixture
def convert(stored, assets_dir, tmp_path):
    """Converts a file, and gives the sound and its rate."""

    def run(source: Path, target: str = "out.wav", **settings):
        told = []
        VoiceConverter(stored, assets_dir).convert_voice(
            source, tmp_path / target, f0_method="fcpe", on_progress=told.append, **settings
        )
        assert told == sorted(told)
        assert told[-1] == 1
        return soundfile.read(tmp_path / target, dtype="float32")

    return run


def test_it_is_what_ultimate_rvc_makes_of_the_same_file(convert, stored, assets_dir, voice_file, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as the reference: threads add up in another order
    soundfile.write(tmp_path / "said.wav", np.stack([tone(3, 44_100), np.zeros(3 * 44_100)], axis=1), 44_100)
    ours, rate_hz = convert(tmp_path / "said.wav", pitch_shift=5, index_rate=0.4)
    models = tmp_path / "models"
    shutil.copytree(assets_dir, models)
    voice = models / "rvc/voice_models/Checkable"
    voice.mkdir(parents=True)
    shutil.copy(voice_file, voice)
    shutil.copy(stored / "model.index", voice)
    (tmp_path / "reference").mkdir()
    reference = Reference(models, tmp_path / "reference")
    theirs, their_rate_hz = soundfile.read(
        reference.convert(
            tmp_path / "said.wav", "Checkable", f0_method="fcpe", n_semitones=5, index_rate=0.4, protect_rate=0.33
        ),
        dtype="float32",
    )
    reference.close()
    assert rate_hz == their_rate_hz == 40_000
    assert len(ours) == len(theirs)
    assert np.abs(ours - theirs).max() == 0
    assert np.abs(ours).max() > 0.3


def test_any_name_format_and_rate_will_do(convert, tmp_path):
    odd = tmp_path / ' "odd" name .flac'
    soundfile.write(odd, tone(1, 22_050), 22_050)
    heard, rate_hz = convert(odd, "heard.ogg", sample_rate=48_000)
    assert rate_hz == 48_000
    assert pitch_hz(heard, rate_hz) == pytest.approx(170, rel=0.01)
    assert len(heard) == pytest.approx(48_000, abs=1000)


def test_a_long_file_is_converted_in_pieces_without_a_gap_or_a_sample_too_many(convert, tmp_path, monkeypatch):
    monkeypatch.setattr(voice_converter, "WHOLE_S", 4.0)
    monkeypatch.setattr(voice_converter, "PIECE_S", 2.0)
    soundfile.write(tmp_path / "long.wav", tone(5, 44_100), 44_100)
    heard, rate_hz = convert(tmp_path / "long.wav")
    assert len(heard) == 5 * rate_hz
    assert pitch_hz(heard, rate_hz) == pytest.approx(170, rel=0.01)
    windows = heard[rate_hz // 10 : -rate_hz // 10]
    loudness = np.abs(windows[: len(windows) // 800 * 800].reshape(-1, 800)).max(axis=1)
    assert loudness.min() > 0.3


@pytest.mark.parametrize(
    ("content", "target", "told"),
    [
        (b"no sound", "out.wav", "not sound"),
        (None, "out.wav", "Cannot read .*No such file"),
        (b"", "out.mp5", "format"),
        (b"", "out.raw", "format"),
        (b"", "out.mp3", "format that can be written at 40000 Hz"),
        (wav(tone(0.1)), "no/out.wav", "Cannot write"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_left(convert, tmp_path, content, target, told):
    source = tmp_path / "said.wav"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(UsageError, match=told):
        convert(source, target)
    assert [path.name for path in tmp_path.iterdir() if path != source] == []


def test_when_it_fails_no_half_file_is_left_and_the_old_one_stays(stored, tmp_path):
    soundfile.write(tmp_path / "said.wav", tone(1), 48_000)
    (tmp_path / "out.wav").write_text("old")
    with pytest.raises(UnavailableError, match="ContentVec"):
        VoiceConverter(stored, tmp_path / "no assets").convert_voice(tmp_path / "said.wav", tmp_path / "out.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "said.wav"]
    assert (tmp_path / "out.wav").read_text() == "old"


def test_a_pth_is_brought_in_first_and_only_once(voice_file, tmp_path, monkeypatch):
    from rwc_pw.system.paths import Paths

    monkeypatch.setattr(Paths, "voices_dir", tmp_path / "models")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"said\.wav"):
            VoiceConverter(voice_file).convert_voice(tmp_path / "said.wav", tmp_path / "heard.wav")
    assert VoiceStore(tmp_path / "models").names() == ["Checkable"]

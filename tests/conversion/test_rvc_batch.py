"""BatchConverter around the real ultimate-rvc."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from rwc_pw.errors import ConversionError, RwcPwError, UnavailableError, UsageError
from rwc_pw.rvc.ultimate import SCRATCH_PREFIX
from rwc_pw.streaming import BatchConverter, ConversionConfig
from rwc_pw.system import extra
from rwc_pw.system.private_folder import PrivateFolder
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.patience import wait_for_end
from tests.rvc.checkable import make_voice
from tests.rvc.tone import tone

pytestmark = pytest.mark.needs_rvc

CHUNK = 4096


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where the converters' private folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def config(assets_dir, stored):
    return ConversionConfig(model_path=stored, assets_dir=assets_dir, use_rmvpe=False)


@pytest.fixture(scope="module")
def started(config, tmp_path_factory):
    """A converter of the stored voice, shared: ultimate-rvc takes long to start. It must end without a trace."""
    scratch = tmp_path_factory.mktemp("scratch")
    it = BatchConverter(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        it.initialize()
        yield it
    it.cleanup()
    assert list(scratch.iterdir()) == []


@pytest.fixture
def converter(started):
    """The same, which knows nothing of an earlier test."""
    started.initialize()
    return started


def spoken(converter: BatchConverter, said: np.ndarray, chunk: int = CHUNK) -> np.ndarray:
    whole = len(said) // chunk * chunk
    return np.concatenate([converter.convert_chunk(said[at : at + chunk]) for at in range(0, whole, chunk)])


def pitch_hz(heard: np.ndarray) -> float:
    """The repetition rate of the last second, from the autocorrelation's highest peak between 60 and 500 Hz."""
    heard = heard[-48_000:]
    likeness = np.fft.irfft(np.abs(np.fft.rfft(heard, 2 * len(heard))) ** 2)
    return 48_000 / (96 + int(np.argmax(likeness[96:800])))


def test_it_speaks_without_a_gap(converter):
    heard = spoken(converter, tone(1))
    assert len(heard) == len(tone(1)) // CHUNK * CHUNK
    settled = heard[2 * CHUNK :]
    loudness = np.sqrt(np.mean(settled[: len(settled) // 960 * 960].reshape(-1, 960) ** 2, axis=1))
    assert loudness.min() > 0.6 * loudness.max()


def assert_follows_the_pitch(converter: BatchConverter, config: ConversionConfig, *pitches: int) -> None:
    for semitones in pitches:
        assert converter.adjust(dataclasses.replace(config, pitch_shift=semitones))
        assert pitch_hz(spoken(converter, tone(1.4), 8192)) == pytest.approx(170 * 2 ** (semitones / 12), rel=0.01)


def test_it_speaks_at_the_pitch_that_is_asked_for_while_it_speaks(converter, config):
    assert_follows_the_pitch(converter, config, -12, 5, 12, 0)


@pytest.mark.parametrize("rate_hz", [32_000, 48_000])
def test_voices_of_other_rates_and_versions_do_too(assets_dir, scratch, tmp_path, rate_hz):
    """test_checkable.py hears ultimate-rvc itself in every kind of voice."""
    make_voice(tmp_path / "other.pth", version="v1", rate_hz=rate_hz)
    store = VoiceStore(tmp_path / "models")
    folder = store.folder_of(add_voice(tmp_path / "other.pth", store))
    config = ConversionConfig(model_path=folder, assets_dir=assets_dir, use_rmvpe=False, index_rate=0.5)
    it = BatchConverter(config)
    it.initialize()
    assert_follows_the_pitch(it, config, 5)
    it.cleanup()
    assert list(scratch.glob(f"{SCRATCH_PREFIX}*")) == []


def test_what_takes_another_model_takes_another_converter(assets_dir, tmp_path, voice_file):
    store = VoiceStore(tmp_path / "models")
    folder = store.folder_of(add_voice(voice_file, store))
    config = ConversionConfig(model_path=folder, assets_dir=assets_dir, use_rmvpe=False)
    it = BatchConverter(config)
    assert it.adjust(config)
    assert not it.adjust(dataclasses.replace(config, use_rmvpe=True))
    assert not it.adjust(dataclasses.replace(config, chunk_size=8192))
    assert not it.adjust(dataclasses.replace(config, model_path=tmp_path))
    store.remove("Checkable")
    assert not it.adjust(config)
    make_voice(tmp_path / "Checkable.pth", seed=1)
    add_voice(tmp_path / "Checkable.pth", store)
    assert not it.adjust(config)


def test_silence_is_silence_and_asks_nothing_of_ultimate_rvc(converter, monkeypatch):
    monkeypatch.setattr(converter._rvc, "convert", None)
    assert not spoken(converter, np.zeros(4 * CHUNK, np.float32)).any()


def test_it_takes_over_in_the_middle_of_a_word(converter):
    heard = converter.convert_chunk(tone(1)[-8192:], context=tone(1)[:-8192])
    assert np.abs(heard[4096:]).max() == pytest.approx(0.43, abs=0.1)


def test_what_is_said_is_in_no_file_even_while_it_is_converted(converter, monkeypatch):
    said, ask, files = tone(1), converter._rvc._ask, []

    def look_and_ask(*request):
        files.extend(path.read_bytes() for path in converter._rvc.folder.rglob("*") if path.is_file())
        return ask(*request)

    monkeypatch.setattr(converter._rvc, "_ask", look_and_ask)
    assert spoken(converter, said).any()
    assert files
    assert not any(said[CHUNK : CHUNK + 480].tobytes() in content for content in files)


def test_what_ultimate_rvc_says_is_a_conversion_error(converter):
    with pytest.raises(ConversionError, match="nonexistent"):
        converter._rvc.convert(Path("/nonexistent.wav"))


def test_its_end_is_a_conversion_error_and_it_begins_again(config, scratch):
    it = BatchConverter(config)
    it.initialize()
    os.kill(it._rvc._process.pid, signal.SIGKILL)
    with pytest.raises(ConversionError, match="has ended"):
        it.convert_chunk(tone(0.2))
    it.initialize()
    assert pitch_hz(spoken(it, tone(1.5))) == pytest.approx(170, rel=0.01)
    it.cleanup()
    assert list(scratch.iterdir()) == []


def test_what_was_given_back_is_not_loaded_again_and_nothing_stays_of_what_could_not_be(config, scratch, monkeypatch):
    one = BatchConverter(config)
    one.cleanup()
    with pytest.raises(RwcPwError, match="has been closed"):
        one.initialize()
    assert list(scratch.iterdir()) == []
    monkeypatch.setattr(sys, "executable", str(scratch / "nothing"))
    with pytest.raises(OSError, match="nothing"):
        BatchConverter(config).initialize()
    assert list(scratch.iterdir()) == []


def test_everything_is_private_and_goes_even_when_both_are_killed(assets_dir, stored, scratch):
    program = f"""
import os, sys, signal
from pathlib import Path
from rwc_pw.rvc.ultimate import RvcSettings, UltimateRvc
from rwc_pw.voices.stored_voice import StoredVoice

rvc = UltimateRvc(Path({str(assets_dir)!r}), RvcSettings(0, "fcpe", 0.75, 0.33), is_live=True)
rvc.start(StoredVoice.read(Path({str(stored)!r})))
print(rvc.folder, rvc._process.pid, flush=True)
signal.pause()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(scratch)}
    ) as process:
        folder, worker = process.stdout.readline().split()
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        ended = os.pidfd_open(int(worker))
        os.kill(int(worker), signal.SIGKILL)  # first, so that it cannot tidy up
        process.kill()
    wait_for_end(ended)
    assert Path(folder).is_dir()
    PrivateFolder(scratch, SCRATCH_PREFIX).remove()
    assert not Path(folder).exists()


def test_when_only_we_are_killed_the_worker_ends_and_takes_its_files_along(assets_dir, stored, scratch):
    program = f"""
import signal
from pathlib import Path
from rwc_pw.rvc.ultimate import RvcSettings, UltimateRvc
from rwc_pw.voices.stored_voice import StoredVoice

rvc = UltimateRvc(Path({str(assets_dir)!r}), RvcSettings(0, "fcpe", 0.75, 0.33), is_live=True)
rvc.start(StoredVoice.read(Path({str(stored)!r})))
print(rvc._process.pid, flush=True)
signal.pause()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(scratch)}
    ) as process:
        ended = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
    wait_for_end(ended)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"chunk_size": 900}, {"pitch_shift": 25}, {"index_rate": 1.5}, {"protect": 0.6}, {"pitch_shift": 0.5}]
)
def test_what_is_out_of_range_is_told(stored, wrong):
    with pytest.raises(UsageError):
        ConversionConfig(model_path=stored, **wrong)


def test_a_voice_without_pitch_is_refused_in_a_sentence(tmp_path, assets_dir):
    make_voice(tmp_path / "flat.pth", has_pitch=False)
    store = VoiceStore(tmp_path / "models")
    folder = store.folder_of(add_voice(tmp_path / "flat.pth", store))
    config = ConversionConfig(model_path=folder, assets_dir=assets_dir, use_rmvpe=False)
    with pytest.raises(UsageError, match="does not follow the pitch"):
        BatchConverter(config).initialize()


def test_a_shared_folder_of_models_runs_no_code_either(stored, assets_dir, scratch):
    shared, canary = scratch / "shared", scratch / "canary"
    shutil.copytree(assets_dir, shared)
    (shared / "rvc/predictors/fcpe.pt").write_bytes(f"cos\nsystem\n(S'touch {canary}'\ntR.".encode())
    config = ConversionConfig(model_path=stored, assets_dir=shared, use_rmvpe=False)
    with pytest.raises(RwcPwError, match="more than weights"):
        BatchConverter(config).initialize()
    assert not canary.exists()


def test_without_the_extra_the_line_to_run_is_told(stored, assets_dir, monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    config = ConversionConfig(model_path=stored, assets_dir=assets_dir)
    with pytest.raises(UnavailableError) as error:
        BatchConverter(config).initialize()
    assert "./install.sh --rvc" in error.value.remedy

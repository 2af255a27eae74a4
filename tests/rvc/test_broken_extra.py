"""Where a child process fails because the extra is broken, that is told, and not what the child said."""

from pathlib import Path

import pytest

from rwc_pw.errors import UnavailableError
from rwc_pw.rvc import proof, ultimate
from rwc_pw.streaming import BatchConverter, ConversionConfig
from rwc_pw.voices.adding import add as importing
from rwc_pw.voices.store import VoiceStore

pytestmark = pytest.mark.needs_rvc

FAILS = ("-c", "raise OSError('Could not load this library: /usr/lib/libtorchaudio.so')")
TOLD = "torchaudio cannot be imported"


def broken(*_: str) -> None:
    raise UnavailableError("The installation of RVC voices is broken: torchaudio cannot be imported.")


def test_a_voice_that_cannot_be_read(voice_file, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "INSPECTOR", FAILS)
    monkeypatch.setattr(importing, "load_module", broken)
    with pytest.raises(UnavailableError, match=TOLD):
        importing.add_voice(voice_file, VoiceStore(tmp_path))


def test_a_voice_that_ultimate_rvc_cannot_load(stored, assets_dir, monkeypatch):
    monkeypatch.setattr(ultimate, "WORKER", FAILS)
    monkeypatch.setattr(ultimate, "check_extra", broken)
    config = ConversionConfig(model_path=stored, assets_dir=assets_dir, use_rmvpe=False)
    with pytest.raises(UnavailableError, match=TOLD):
        BatchConverter(config).initialize()


def test_what_setup_fetched_and_cannot_be_proven(assets_dir, monkeypatch):
    monkeypatch.setattr(proof, "MEASURE", FAILS)
    monkeypatch.setattr(proof, "check_extra", broken)
    monkeypatch.setattr(proof, "missing", lambda _: [])
    with pytest.raises(UnavailableError, match=TOLD):
        proof.prove(assets_dir, Path("/"))

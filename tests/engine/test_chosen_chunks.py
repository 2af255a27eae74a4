from dataclasses import replace
from pathlib import Path

import pytest

from rwc_pw.engine.chunk_size import ChosenChunks
from rwc_pw.rvc import gpu
from rwc_pw.streaming import ConversionConfig

ANNA, OTTO = (ConversionConfig(model_path=Path("/voices") / name, backend="streaming") for name in ("Anna", "Otto"))


def test_what_was_chosen_is_kept_by_voice(tmp_path):
    path = tmp_path / "state/chunks.json"
    assert ChosenChunks(path).get(ANNA) is None
    ChosenChunks(path).keep(ANNA, 3840)
    ChosenChunks(path).keep(OTTO, 4800)
    assert ChosenChunks(path).get(ANNA) == 3840
    assert ChosenChunks(path).get(OTTO) == 4800


def test_another_detector_look_ahead_or_a_gpu_takes_another_choice(tmp_path, monkeypatch):
    chosen = ChosenChunks(tmp_path / "chunks.json")
    chosen.keep(ANNA, 3840)
    assert chosen.get(replace(ANNA, look_ahead=40)) is None
    exact = replace(ANNA, f0_method="rmvpe")
    assert chosen.get(exact) is None
    chosen.keep(exact, 4800)
    with monkeypatch.context() as patch:
        patch.setattr(gpu, "device", lambda: "cuda")
        assert chosen.get(ANNA) is None
        chosen.keep(ANNA, 960)
        assert chosen.get(ANNA) == 960
        assert chosen.get(replace(ANNA, f0_method="swiftf0")) is None
    assert (chosen.get(ANNA), chosen.get(exact)) == (3840, 4800)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"Anna|fcpe|cpu|1": "3840"}', '{"Anna|fcpe|cpu|1": 1}', '{"Anna|fcpe|cpu|1": [1]}']
)
def test_what_nobody_wrote_is_chosen_anew(tmp_path, text):
    path = tmp_path / "chunks.json"
    path.write_text(text)
    assert ChosenChunks(path).get(ANNA) is None
    ChosenChunks(path).keep(ANNA, 3840)
    assert ChosenChunks(path).get(ANNA) == 3840


def test_what_another_process_has_chosen_since_holds(tmp_path):
    path = tmp_path / "chunks.json"
    chosen = ChosenChunks(path)
    chosen.keep(ANNA, 3840)
    ChosenChunks(path).keep(ANNA, 2880)
    assert chosen.get(ANNA) == 2880
    ChosenChunks(path).forget("Anna")
    assert chosen.get(ANNA) is None


def test_what_cannot_be_written_holds_until_the_end(tmp_path):
    (tmp_path / "file").write_text("")
    chosen = ChosenChunks(tmp_path / "file/chunks.json")
    chosen.keep(ANNA, 3840)
    assert chosen.get(ANNA) == 3840


def test_what_could_not_be_written_is_written_with_the_next_choice(tmp_path):
    folder = tmp_path / "state"
    folder.write_text("no folder")
    chosen = ChosenChunks(folder / "chunks.json")
    chosen.keep(ANNA, 3840)
    folder.unlink()
    chosen.keep(OTTO, 4800)
    assert ChosenChunks(folder / "chunks.json").get(ANNA) == 3840


def test_of_a_voice_that_is_no_more_nothing_is_kept(tmp_path):
    path = tmp_path / "chunks.json"
    chosen = ChosenChunks(path)
    for conversion, size in ((ANNA, 3840), (replace(ANNA, f0_method="rmvpe"), 3840), (OTTO, 4800)):
        chosen.keep(conversion, size)
    chosen.forget("Anna")
    for it in (chosen, ChosenChunks(path)):
        assert it.get(ANNA) is None
        assert it.get(replace(ANNA, f0_method="rmvpe")) is None
        assert it.get(OTTO) == 4800

import pytest

from rwc_pw.streaming.chunk_choice import ChosenChunks


def test_what_was_chosen_is_kept_by_voice(tmp_path):
    path = tmp_path / "state/chunks.json"
    assert ChosenChunks(path).get("Anna") is None
    ChosenChunks(path).keep("Anna", 3840)
    ChosenChunks(path).keep("Otto", 4800)
    assert ChosenChunks(path).get("Anna") == 3840
    assert ChosenChunks(path).get("Otto") == 4800


@pytest.mark.parametrize("text", ["{", "[]", '{"Anna": "3840"}', '{"Anna": 1}', '{"Anna": [1]}'])
def test_what_nobody_wrote_is_chosen_anew(tmp_path, text):
    path = tmp_path / "chunks.json"
    path.write_text(text)
    assert ChosenChunks(path).get("Anna") is None
    ChosenChunks(path).keep("Anna", 3840)
    assert ChosenChunks(path).get("Anna") == 3840


def test_what_cannot_be_written_holds_until_the_end(tmp_path):
    (tmp_path / "file").write_text("")
    chosen = ChosenChunks(tmp_path / "file/chunks.json")
    chosen.keep("Anna", 3840)
    assert chosen.get("Anna") == 3840


def test_of_a_voice_that_is_no_more_nothing_is_kept(tmp_path):
    path = tmp_path / "chunks.json"
    chosen = ChosenChunks(path)
    chosen.keep("Anna", 3840)
    chosen.keep("Otto", 4800)
    chosen.forget("Anna")
    for it in (chosen, ChosenChunks(path)):
        assert it.get("Anna") is None
        assert it.get("Otto") == 4800

import dataclasses
import math

import pytest

from rwc_pw.errors import UsageError
from rwc_pw.voices.builtin import BUILTIN_VOICES, DEFAULT_VOICE_NAME, BuiltinVoice, Effect, check_voice


def test_the_default_is_there_and_moves_down() -> None:
    voice = BUILTIN_VOICES[DEFAULT_VOICE_NAME]
    assert voice.pitch_semitones < 0
    assert voice.formant_semitones < 0


@pytest.mark.parametrize("name", ["deeper", "brighter", "robot", "whisper"])
def test_the_promised_voices_are_there(name: str) -> None:
    assert BUILTIN_VOICES[name].name == name


@pytest.mark.parametrize("voice", BUILTIN_VOICES.values(), ids=lambda voice: voice.name)
def test_every_builtin_voice_hides_the_speaker(voice: BuiltinVoice) -> None:
    check_voice(voice)


def test_a_shift_is_added_to_the_voice_and_leaves_it_as_it_was() -> None:
    deeper = BUILTIN_VOICES["deeper"]
    shifted = deeper.with_shift(-1.5, 0.5)
    assert shifted.pitch_semitones == deeper.pitch_semitones - 1.5
    assert shifted.formant_semitones == deeper.formant_semitones + 0.5
    assert dataclasses.replace(shifted, pitch_semitones=0, formant_semitones=0) == dataclasses.replace(
        deeper, pitch_semitones=0, formant_semitones=0
    )


@pytest.mark.parametrize(("pitch", "formant"), [(0.0, 0.0), (1.9, 0.9), (-1.9, -0.9)])
def test_the_real_voice_is_refused(pitch: float, formant: float) -> None:
    with pytest.raises(UsageError, match="would be your own") as refused:
        BuiltinVoice("none", "", 3.0, 3.0).with_shift(pitch - 3.0, formant - 3.0)
    assert "`rwc-pw bypass on`" in refused.value.remedy


@pytest.mark.parametrize(("pitch", "formant"), [(2.0, 0.0), (-2.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
def test_one_clear_change_is_enough(pitch: float, formant: float) -> None:
    check_voice(BuiltinVoice("some", "", pitch, formant))


@pytest.mark.parametrize("effect", [Effect.ROBOT, Effect.WHISPER])
def test_an_effect_needs_no_shift(effect: Effect) -> None:
    check_voice(BuiltinVoice("some", "", effect=effect))


@pytest.mark.parametrize(
    ("pitch", "formant", "what"),
    [(24.5, 0, "pitch"), (-24.5, 0, "pitch"), (5, 12.5, "formant"), (5, -12.5, "formant"), (math.nan, 5, "pitch")],
)
def test_a_shift_out_of_range_is_refused(pitch: float, formant: float, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        BuiltinVoice("some", "").with_shift(pitch, formant)

"""The voices that need no model: how far each shifts the speaker's pitch and formants."""

from dataclasses import dataclass, replace
from enum import StrEnum

from rwc_pw.errors import UsageError
from rwc_pw.voices.options import FORMANT, PITCH, Option

LEAST_PITCH_SEMITONES = 2.0
LEAST_FORMANT_SEMITONES = 1.0


class Effect(StrEnum):
    """Replacement of the speaker's vocal cords."""

    NONE = "none"
    ROBOT = "robot"
    WHISPER = "whisper"


@dataclass(frozen=True)
class BuiltinVoice:
    """A target voice; semitones are relative to the speaker, except the pitch of a robot.

    A robot speaks on one note, its own shifted by ``pitch_semitones``; a whisper has no pitch.
    """

    name: str
    description: str
    pitch_semitones: float = 0.0
    formant_semitones: float = 0.0
    effect: Effect = Effect.NONE

    def with_shift(self, pitch_semitones: float, formant_semitones: float) -> "BuiltinVoice":
        """This voice with both offsets added; ``UsageError`` if out of range or too close to the real voice."""
        shifted = replace(
            self,
            pitch_semitones=self.pitch_semitones + pitch_semitones,
            formant_semitones=self.formant_semitones + formant_semitones,
        )
        check_voice(shifted)
        return shifted


def check_voice(voice: BuiltinVoice) -> None:
    """Raise ``UsageError`` unless ``voice`` is in range and hides the speaker's own voice."""
    _check_range(voice, "pitch", voice.pitch_semitones, PITCH)
    _check_range(voice, "formant", voice.formant_semitones, FORMANT)
    disguised = (
        voice.effect is not Effect.NONE
        or abs(voice.pitch_semitones) >= LEAST_PITCH_SEMITONES
        or abs(voice.formant_semitones) >= LEAST_FORMANT_SEMITONES
    )
    if not disguised:
        raise UsageError(
            f"With pitch {voice.pitch_semitones:+g} and formant {voice.formant_semitones:+g} semitones in all, "
            f"the voice '{voice.name}' would be your own.",
            f"Move the pitch by {LEAST_PITCH_SEMITONES:g} or the formants by {LEAST_FORMANT_SEMITONES:g} semitones "
            "or more; to speak with your real voice, run `rwc-pw bypass on`.",
        )


def _check_range(voice: BuiltinVoice, what: str, total_semitones: float, option: Option) -> None:
    if not option.least <= total_semitones <= option.most:  # also refuses NaN
        raise UsageError(
            f"The {what} of the voice '{voice.name}' would be {total_semitones:+g} semitones in all.",
            f"Choose an offset that keeps it between {option.least:g} and {option.most:+g}.",
        )


DEFAULT_VOICE_NAME = "deeper"

BUILTIN_VOICES: dict[str, BuiltinVoice] = {
    voice.name: voice
    for voice in (
        BuiltinVoice("deeper", "A lower voice from a larger body.", -4.0, -2.0),
        BuiltinVoice("brighter", "A higher voice from a smaller body.", 4.0, 2.0),
        BuiltinVoice("giant", "A very low voice from a huge body.", -7.0, -4.5),
        BuiltinVoice("robot", "A machine that speaks on one note.", 0.0, 0.0, Effect.ROBOT),
        BuiltinVoice("whisper", "A whisper, with no pitch at all.", 0.0, 1.0, Effect.WHISPER),
    )
}

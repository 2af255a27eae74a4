"""The configuration: declared once, read from TOML, every problem told at once."""

import difflib
import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from rwc_pw.desktop.files import write_atomically
from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import ConfigError, UsageError
from rwc_pw.voices.builtin import (
    BUILTIN_VOICES,
    DEFAULT_VOICE_NAME,
    FORMANT_RANGE_SEMITONES,
    PITCH_RANGE_SEMITONES,
)
from rwc_pw.voices.f0_method import AUTO, F0_METHODS, detector_of
from rwc_pw.voices.rvc_voice import BACKENDS, LOOK_AHEAD_RANGE_MS, STREAMING
from rwc_pw.voices.store import VoiceStore


def _option(default: Any, least: float | None = None, most: float | None = None) -> Any:
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Config:
    """What a user can set; the keys of config.toml are these names."""

    voice: str = DEFAULT_VOICE_NAME
    pitch: float = _option(0.0, -PITCH_RANGE_SEMITONES, PITCH_RANGE_SEMITONES)
    """Semitones added to the voice's own."""
    formant: float = _option(0.0, -FORMANT_RANGE_SEMITONES, FORMANT_RANGE_SEMITONES)
    """Semitones added to the voice's own."""
    gain: float = _option(0.0, -60.0, 24.0)
    """Decibels added to the converted voice."""
    gate: float = _option(-50.0, -120.0, 0.0)
    """The microphone counts as silent below, in decibels of full scale."""
    input_device: str = ""
    """The microphone's node name; empty follows the default one."""
    chunk_size: int = _option(256, 64, 16384)
    """Samples of one conversion by a built-in voice."""
    rvc_backend: str = STREAMING
    """What converts with RVC voices: streaming (our own) or batch (ultimate-rvc, chunk by chunk)."""
    rvc_chunk_size: int = _option(0, 960, 16384)
    """Samples of one conversion by an RVC voice; 0 is what this machine holds."""
    index_rate: float = _option(0.75, 0.0, 1.0)
    """The share of an RVC voice's features that comes from its index."""
    protect: float = _option(0.33, 0.0, 0.5)
    """How much consonants and breath are kept from the index; 0.5 is not at all."""
    rms_mix_rate: float = _option(1.0, 0.0, 1.0)
    """1 leaves an RVC voice its own loudness, 0 gives it yours."""
    f0_method: str = AUTO
    """What finds the pitch for RVC voices: auto (what suits the backend), swiftf0 (for streaming), fcpe or rmvpe."""
    look_ahead: int = _option(10, *LOOK_AHEAD_RANGE_MS)
    """Milliseconds; with more an RVC voice speaks nearer to what it says offline, and later (streaming)."""
    rvc_models: str = ""
    """A folder of ultimate-rvc's models to share, by its whole path; empty is rwc-pw's own."""
    quantum: int = _option(256, 32, 8192)
    """Samples of one cycle, as asked of PipeWire."""

    @classmethod
    def from_values(cls, values: Mapping[str, object], rvc_voices: Collection[str] = ()) -> Self:
        """Check ``values`` against the declaration; ``ConfigError`` tells all that is wrong.

        ``rvc_voices`` are the names of those in the store.
        """
        problems = _problems(values, rvc_voices)
        if not problems:
            config = cls(**values)  # type: ignore[arg-type]  # just checked
            problems = config._combined_problems()
        if problems:
            raise ConfigError("\n".join(problems), "Mend the configuration, then run the command again.")
        return config

    def changed(self, changes: Mapping[str, object], rvc_voices: Collection[str] = ()) -> "Config":
        """This configuration with a user's changes; ``UsageError`` tells all that is wrong with them."""
        return _changed(asdict(self), changes, rvc_voices)

    @property
    def is_rvc(self) -> bool:
        """Whether the voice is one of the user's own."""
        return self.voice not in BUILTIN_VOICES

    def _combined_problems(self) -> list[str]:
        if self.is_rvc:
            whole = self.pitch == round(self.pitch)
            problems = [] if whole else [f"pitch: RVC voices move by whole semitones, and {self.pitch:g} is not whole."]
            try:
                detector_of(self.rvc_backend, self.f0_method)
            except UsageError as error:
                problems.append(f"f0_method: {error.message} {error.remedy}")
            return problems
        try:
            BUILTIN_VOICES[self.voice].with_shift(self.pitch, self.formant)
        except UsageError as error:
            return [f"{error.message} {error.remedy}"]
        return []


def config_of(paths: Paths) -> Config:
    """The user's configuration."""
    return load_config(paths.config_file, VoiceStore(paths.voices_dir).names())


def assets_dir_of(config: Config, paths: Paths) -> Path:
    """Where what every RVC voice needs lies: the user's folder of ultimate-rvc's models, or our own."""
    return Path(config.rvc_models).expanduser() if config.rvc_models else paths.assets_dir


def load_config(path: Path, rvc_voices: Collection[str] = ()) -> Config:
    """Read config.toml; the defaults where there is none. ``rvc_voices`` are the names of those in the store."""
    values = _read(path)
    try:
        return Config.from_values(values, rvc_voices)
    except ConfigError as error:
        raise _unusable(path, [error.message]) from error


def save_config(path: Path, changes: Mapping[str, object], rvc_voices: Collection[str] = ()) -> Config:
    """Change these keys of config.toml and leave its other lines, and comments, as they are."""
    import tomlkit  # here alone: only a change needs it, and status has to answer at once

    values = _read(path)
    # what is wrong with a value that is replaced, as the name of a voice that is no more, matters no longer
    if problems := _problems({key: value for key, value in values.items() if key not in changes}, rvc_voices):
        raise _unusable(path, problems)
    config = _changed(values, changes, rvc_voices)
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    for key, value in changes.items():
        if value == getattr(Config(), key):
            document.pop(key, None)
        else:
            document[key] = value
    write_atomically(path, tomlkit.dumps(document))
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:  # endless numbers and nesting, too
        raise ConfigError(f"{path} is not valid TOML: {error}.", "Mend that line, or remove the file.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", "Mend its permissions.") from error


def _unusable(path: Path, problems: list[str]) -> ConfigError:
    return ConfigError("\n".join((f"{path} cannot be used:", *problems)), f"Mend {path}, then run the command again.")


def _changed(values: Mapping[str, object], changes: Mapping[str, object], rvc_voices: Collection[str]) -> Config:
    try:
        return Config.from_values({**values, **changes}, rvc_voices)
    except ConfigError as error:
        raise UsageError(error.message, "Nothing was changed.") from error


def _problems(values: Mapping[str, object], rvc_voices: Collection[str]) -> list[str]:
    """What is wrong with the entries, each by itself."""
    voices = (*BUILTIN_VOICES, *rvc_voices)
    return [problem for key, value in values.items() if (problem := _problem(key, value, voices))]


def _problem(key: str, value: object, voices: Collection[str]) -> str:
    """What is wrong with one entry; empty when nothing is."""
    declared = {item.name: item for item in fields(Config)}
    if key not in declared:
        return f"{key}: there is no such setting{_did_you_mean(key, declared)}"
    kind = type(declared[key].default)
    accepted = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, accepted) or not _is_unicode(value):
        return f"{key}: {value!r} is not {_NOUNS[kind]}."
    known = {"voice": voices, "f0_method": F0_METHODS, "rvc_backend": BACKENDS}.get(key)
    if known is not None and value not in known:
        return f"{key}: there is no {key.replace('_', ' ')} {value!r}{_did_you_mean(str(value), known)}"
    least, most = declared[key].metadata.get("least"), declared[key].metadata.get("most")
    if value == declared[key].default:
        return ""
    if key == "rvc_models":
        whole = os.path.expanduser(str(value))  # noqa: PTH111 - Path's raises where there is no such user
        return "" if Path(whole).is_absolute() else f"{key}: {value} is not the whole path of a folder."
    if least is not None and not least <= value <= most:  # type: ignore[operator]  # numbers alone have bounds
        return f"{key}: {value} is not between {least:g} and {most:g}."
    return ""


def _is_unicode(value: object) -> bool:
    """False for the bytes of an argument that are no UTF-8, which Python keeps as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in str(value))


_NOUNS = {str: "a text", int: "a whole number", float: "a number"}


def _did_you_mean(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}."

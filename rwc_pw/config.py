"""The configuration: declared once, read from TOML, all problems reported together."""

import difflib
import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from rwc_pw.channels import options as channel_options
from rwc_pw.conversion.rvc_backends import RVC_BACKENDS, STREAMING, RvcBackend
from rwc_pw.errors import ConfigError, UsageError
from rwc_pw.rvc.detectors import AUTO, F0_METHODS
from rwc_pw.system.paths import Paths
from rwc_pw.system.reading import read_text
from rwc_pw.system.writing import write_atomically
from rwc_pw.voices import options
from rwc_pw.voices.builtin import BUILTIN_VOICES, DEFAULT_VOICE_NAME
from rwc_pw.voices.store import VoiceStore

LONGEST_SHOWN = 80
MOST_ENTRIES = 100


def _option(default: Any, least: float | None = None, most: float | None = None) -> Any:
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Config:
    """Settings of the user; these names are the keys of config.toml."""

    voice: str = DEFAULT_VOICE_NAME
    pitch: float = _option(*options.PITCH)
    """Semitones added to the voice's own pitch."""
    formant: float = _option(*options.FORMANT)
    """Semitones added to the voice's own formants."""
    gain: float = _option(*options.GAIN_DB)
    """Decibels added to the converted voice."""
    gate: float = _option(*options.GATE_DB)
    """The level in dBFS below which the microphone counts as silent."""
    input_device: str = ""
    """The microphone's name, or the description that mixers show; if empty, the default one is followed."""
    input_channel: str = channel_options.AUTO
    """The microphone's channel: auto (the one that carries the voice), its number, or mix (all, at equal weight)."""
    chunk_size: int = _option(256, 64, 16384)
    """Samples per conversion with a built-in voice."""
    rvc_backend: str = STREAMING.name
    """The converter for RVC voices: streaming (our own) or batch (ultimate-rvc, chunk by chunk)."""
    rvc_chunk_size: int = _option(0, options.CHUNK_SAMPLES.least, options.CHUNK_SAMPLES.most)
    """Samples per conversion with an RVC voice; 0 lets rwc-pw choose for this machine."""
    index_rate: float = _option(*options.INDEX_RATE)
    """The share of an RVC voice's features that comes from its index."""
    protect: float = _option(*options.PROTECT)
    """Protection of consonants and breath from the index, 0 (most) to 0.5 (none)."""
    rms_mix_rate: float = _option(*options.RMS_MIX_RATE)
    """1 keeps an RVC voice's own loudness, 0 gives it yours."""
    f0_method: str = AUTO
    """The pitch detector for RVC voices: auto (the backend's default), swiftf0 (streaming only), fcpe or rmvpe."""
    look_ahead: int = _option(*options.LOOK_AHEAD_MS)
    """Milliseconds; more brings an RVC voice closer to its offline sound, and delays it (streaming only)."""
    rvc_models: str = ""
    """Absolute path of an ultimate-rvc models folder to share; empty means rwc-pw's own."""
    pin_volume: bool = False
    """True if RWC Voice is kept at 100 %, whoever turns it down; if not, it only begins there."""
    quantum: int = _option(256, 32, 8192)
    """Samples per cycle, as requested from PipeWire."""

    @classmethod
    def from_values(cls, values: Mapping[str, object], rvc_voices: Collection[str] = ()) -> Self:
        """Check ``values`` against the declaration; ``ConfigError`` lists all that is wrong.

        ``rvc_voices`` are the names of the stored voices.
        """
        problems = _problems(values, rvc_voices)
        if not problems:
            config = cls(**values)  # type: ignore[arg-type]  # just checked
            problems = config._combined_problems()
        if problems:
            raise ConfigError("\n".join(problems))
        return config

    def changed(self, changes: Mapping[str, object], rvc_voices: Collection[str] = ()) -> "Config":
        """This configuration with a user's changes; ``UsageError`` lists all that is wrong with them."""
        return _changed(asdict(self), changes, rvc_voices, "Give values that fit.")

    @property
    def is_rvc(self) -> bool:
        """Return whether the voice is one of the user's own."""
        return self.voice not in BUILTIN_VOICES

    @property
    def rvc_converter(self) -> RvcBackend:
        """The converter for RVC voices, and everything about it."""
        return RVC_BACKENDS[self.rvc_backend]

    @property
    def chunk_size_key(self) -> str:
        """The key of the setting that holds this voice's chunk size."""
        return "rvc_chunk_size" if self.is_rvc else "chunk_size"

    def _combined_problems(self) -> list[str]:
        if self.is_rvc:
            whole = self.pitch == round(self.pitch)
            problems = [] if whole else [f"pitch: RVC voices move by whole semitones, and {self.pitch:g} is not whole."]
            try:
                self.rvc_converter.detector(self.f0_method)
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
    """The folder with what every RVC voice needs: the user's ultimate-rvc models folder, or our own."""
    return Path(config.rvc_models).expanduser() if config.rvc_models else paths.assets_dir


def load_config(path: Path, rvc_voices: Collection[str] = ()) -> Config:
    """Read config.toml, or return the defaults if there is none. ``rvc_voices`` are the stored voices' names."""
    values = _read(path)
    try:
        return Config.from_values(values, rvc_voices)
    except ConfigError as error:
        raise _unusable(path, [error.message]) from error


def changed_config(path: Path, changes: Mapping[str, object], rvc_voices: Collection[str] = ()) -> Config:
    """The configuration after these changes of config.toml; ``UsageError`` lists all that is wrong with them."""
    values = _read(path)
    # a problem with a value that is being replaced, such as a removed voice's name, does not matter
    if problems := _problems({key: value for key, value in values.items() if key not in changes}, rvc_voices):
        raise _unusable(path, problems)
    return _changed(values, changes, rvc_voices, "Nothing was changed.")


def save_config(path: Path, changes: Mapping[str, object], rvc_voices: Collection[str] = ()) -> Config:
    """Change these keys of config.toml and leave its other lines and comments as they are."""
    import tomlkit  # imported here because only a change needs it, and status has to answer at once

    config = changed_config(path, changes, rvc_voices)
    try:
        document = tomlkit.parse(read_text(path)) if path.exists() else tomlkit.document()
    except (ValueError, RecursionError) as error:  # it does not take all that tomllib takes
        raise _unusable(path, [str(error)]) from error
    for key, value in changes.items():
        if value == getattr(Config(), key):
            document.pop(key, None)
        else:
            document[key] = value
    write_atomically(path, tomlkit.dumps(document))
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(read_text(path))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:  # also for over-long numbers and over-deep nesting
        raise ConfigError(f"{path} is not valid TOML: {error}.", "Mend that line, or remove the file.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", "Mend its permissions.") from error
    if type(values.get("input_channel")) is int:  # as people write a number
        values["input_channel"] = _shown(values["input_channel"])
    return values


def _unusable(path: Path, problems: list[str]) -> ConfigError:
    remedy = f"Mend {path}, then run the command again."
    if len(problems) == 1 and problems[0].startswith("voice: "):
        remedy = "Choose another voice, as with `rwc-pw use deeper`."
    return ConfigError("\n".join((f"{path} cannot be used:", *problems)), remedy)


def _changed(
    values: Mapping[str, object], changes: Mapping[str, object], rvc_voices: Collection[str], remedy: str
) -> Config:
    try:
        return Config.from_values({**values, **changes}, rvc_voices)
    except ConfigError as error:
        raise UsageError(error.message, remedy) from error


def _problems(values: Mapping[str, object], rvc_voices: Collection[str]) -> list[str]:
    """Problems of the entries, each taken alone."""
    if len(values) > MOST_ENTRIES:
        return [f"{len(values)} settings are more than there are."]
    voices = (*BUILTIN_VOICES, *rvc_voices)
    return [problem for key, value in values.items() if (problem := _problem(key, value, voices))]


def _problem(key: str, value: object, voices: Collection[str]) -> str:
    """The problem of one entry; empty if it has none."""
    declared = {item.name: item for item in fields(Config)}
    if key not in declared:
        return f"{key}: there is no such setting{_did_you_mean(key, declared)}"
    kind = type(declared[key].default)
    accepted = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, accepted) or not _is_text(value):
        return f"{key}: {_shown(value)} is not {_NOUNS[kind]}."
    if key == "input_channel" and value not in channel_options.CHANNELS:
        return (
            f"{key}: {_shown(value)} is not auto, mix or the number of a channel, 1 to {channel_options.MOST_CHANNELS}."
        )
    known = {"voice": voices, "f0_method": F0_METHODS, "rvc_backend": RVC_BACKENDS}.get(key)
    if known is not None and value not in known:
        return f"{key}: there is no {key.replace('_', ' ')} {_shown(value)}{_did_you_mean(str(value), known)}"
    least, most = declared[key].metadata.get("least"), declared[key].metadata.get("most")
    if value == declared[key].default:
        return ""
    if key == "rvc_models":
        whole = os.path.expanduser(str(value))  # noqa: PTH111 - Path's raises if there is no such user
        return "" if Path(whole).is_absolute() else f"{key}: {value} is not an absolute path."
    if least is not None and not least <= value <= most:  # type: ignore[operator]  # only numbers have bounds
        return f"{key}: {_shown(value)} is not between {least:g} and {most:g}."
    return ""


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a hexadecimal number of thousands of digits, or lists in lists
        return "what is there"
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"


def _is_text(value: object) -> bool:
    """False for a string that no file or bus can carry: with NUL, or bytes that are not UTF-8 (lone surrogates)."""
    return not isinstance(value, str) or not any(
        character == "\0" or "\ud800" <= character <= "\udfff" for character in value
    )


_NOUNS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _did_you_mean(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}."

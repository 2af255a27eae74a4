"""Which voice speaks, and what follows from each event: pure."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Self

from rwc_pw.config import Config
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.engine.request import is_chunk_ours
from rwc_pw.errors import Fault
from rwc_pw.streaming.conversion_times import ConversionTimes


@dataclass(frozen=True)
class LoadedVoice:
    """An RVC voice that can speak."""

    kind: object
    """Equal for two voices that take the same time per chunk and have the same delay."""
    device: str | None
    """The device it was meant to be computed on."""
    backend: ConversionBackend
    times: ConversionTimes
    """Durations of its trial: of a single chunk if a voice of the same kind speaks."""


class Why(Enum):
    """The reason for a load."""

    CHOSEN = auto()
    """The user wants this voice."""
    RESIZED = auto()
    """Another chunk size suits the machine better; the voice speaks meanwhile."""
    GPU_FAILED = auto()
    """It is loaded for the CPU."""


class Action(Enum):
    """Something to do after an event, in the order given."""

    CUT = auto()
    """Let no sound in flight be heard."""
    FALL_SILENT = auto()
    SPEAK = auto()
    """Let the built-in voice speak, or in bypass the real one; neither needs loading."""
    ADJUST = auto()
    """Adjust the voice that speaks to the configuration; ``adjusted`` tells whether that could be done."""
    LOAD = auto()
    STOP_LOADING = auto()
    SWAP = auto()
    """Let ``loaded`` take over in the pipeline of a voice of the same kind."""
    REPLACE = auto()
    """Let ``loaded`` speak through a new pipeline."""


Transition = tuple["VoiceState", tuple[Action, ...]]


@dataclass(frozen=True)
class VoiceState:
    """The voice that is wanted, the one that speaks, and the load between them.

    Each method is an event: it returns the next state, and the actions that lead there.
    """

    config: Config
    """The user's wish."""
    bypass: bool = False
    """True while the user lets the real voice through."""
    speaking: str = ""
    """The voice that speaks; empty while there is silence."""
    loaded: LoadedVoice | None = None
    """The RVC voice that speaks; None if another kind of voice does, or none."""
    load: Why | None = None
    """Why the wanted voice is being loaded; None if it is not."""
    failed: Why | None = None
    """Why it was to be loaded when that failed; it is tried again."""
    load_fault: Fault | None = None
    """The reason why it could not be loaded."""

    @classmethod
    def first(cls, config: Config) -> Self:
        """The state before any event: a built-in voice speaks, an RVC voice is being loaded."""
        if config.is_rvc:
            return cls(config, load=Why.CHOSEN)
        return cls(config, speaking=config.voice)

    @property
    def loading(self) -> str:
        """The name of the voice that is being loaded; empty if none is."""
        return self.config.voice if self.load else ""

    @property
    def fault(self) -> Fault | None:
        """The reason why the wanted voice cannot be heard; None if only another chunk size for it failed."""
        return None if self.failed is Why.RESIZED else self.load_fault

    @property
    def may_be_resized(self) -> bool:
        """Return whether the chunk size may be adapted now."""
        return is_chunk_ours(self.config) and bool(self.loaded) and not self.load and not self.failed

    @property
    def needs_gpu(self) -> bool:
        """Return whether the voice that speaks is computed on a GPU, and none is being loaded in its place."""
        return self.loaded is not None and self.loaded.device is not None and not self.load

    def speaks_like(self, kind: object) -> bool:
        """Return whether a voice of that kind speaks."""
        return self.loaded is not None and self.loaded.kind == kind

    def chosen(self, config: Config) -> Transition:
        """The user has set something."""
        return replace(self, config=config)._wished()

    def bypassed(self, bypass: bool) -> Transition:
        """The user lets the real voice through, or does so no more."""
        if self.bypass and not bypass:
            state, actions = replace(self, bypass=False, speaking="", loaded=None)._wished()
            return state, (Action.CUT, *actions)
        return replace(self, bypass=bypass)._wished()

    def adjusted(self, fits: bool) -> Transition:
        """The voice that speaks was adjusted to the configuration, or that takes another converter."""
        if fits:
            return self._without_load(), (Action.STOP_LOADING,)
        return replace(self._without_load(), load=Why.CHOSEN), (Action.LOAD,)

    def arrived(self, loaded: LoadedVoice) -> Transition:
        """The wanted voice is loaded."""
        action = Action.SWAP if self.speaks_like(loaded.kind) else Action.REPLACE
        return replace(self._without_load(), speaking=self.config.voice, loaded=loaded), (action,)

    def load_failed(self, fault: Fault) -> Transition:
        """The wanted voice could not be loaded; the loader tries it again by itself."""
        return replace(self, load=None, failed=self.load, load_fault=fault), ()

    def tried_again(self) -> Transition:
        """The loader has begun again."""
        return replace(self, load=self.failed), ()

    def gpu_failed(self) -> Transition:
        """The GPU can be used no more, which the loader notices, too: what speaks on it falls silent.

        The CPU could not keep up with its chunk size.
        """
        if self.load:
            return (self if self.speaking else replace(self, load=Why.GPU_FAILED)), ()
        silent = replace(self._without_load(), speaking="", loaded=None, load=Why.GPU_FAILED)
        return silent, (Action.FALL_SILENT, Action.LOAD)

    def resized(self) -> Transition:
        """Another chunk size has been chosen."""
        return replace(self, load=Why.RESIZED), (Action.LOAD,)

    def _wished(self) -> Transition:
        """A built-in voice speaks at once, an RVC voice once it is loaded; until then the previous voice speaks."""
        if self.bypass or not self.config.is_rvc:
            speaks = replace(self._without_load(), speaking=self.config.voice, loaded=None)
            return speaks, (Action.STOP_LOADING, Action.SPEAK)
        if self.loaded:
            return self, (Action.ADJUST,)
        return replace(self._without_load(), load=Why.CHOSEN), (Action.LOAD,)

    def _without_load(self) -> Self:
        return replace(self, load=None, failed=None, load_fault=None)

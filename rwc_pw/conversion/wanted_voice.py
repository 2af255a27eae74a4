"""The RVC voice that a configuration means."""

from functools import cached_property
from pathlib import Path

from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.errors import RwcPwError
from rwc_pw.voices.adding.stored_folder import stored_folder
from rwc_pw.voices.store import VoiceStore
from rwc_pw.voices.stored_voice import StoredVoice


class WantedVoice:
    """The voice that ``config.model_path`` names, and the places of the models it needs.

    It is found once it is asked for: a new file is imported then, by another process, which takes seconds.
    """

    def __init__(self, config: ConversionConfig) -> None:
        paths = config.places
        self.assets_dir = (config.assets_dir or paths.assets_dir).absolute()
        self.compiled_dir = paths.compiled_dir
        self._store = VoiceStore(paths.voices_dir)
        self._config = config

    @cached_property
    def stored(self) -> StoredVoice:
        """The voice, read the first time; ``UsageError`` if there is none, ``RwcPwError`` if it cannot be used."""
        return StoredVoice.read(stored_folder(Path(self._config.model_path or ""), self._store))

    @property
    def kind(self) -> object:
        """Everything that the time per chunk and the delay depend on."""
        config, facts = self._config, self.stored.facts
        computed = config.backend, config.chunk_samples, config.look_ahead_frames, config.detector.name
        return *computed, device_of(config), facts.version, facts.sample_rate_hz, facts.has_pitch, facts.has_index

    def is_meant_by(self, config: ConversionConfig) -> bool:
        """Return whether ``config`` means the same voice and converter, and nobody has replaced the voice since."""
        try:
            return config.is_loaded_like(self._config) and self.stored.is_still_there()
        except RwcPwError:  # it was never there: the next attempt to load it reports that
            return False

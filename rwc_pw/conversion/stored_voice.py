"""The stored voice that a configuration means."""

from pathlib import Path

from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.errors import RwcPwError
from rwc_pw.voices.adding.stored_folder import stored_folder
from rwc_pw.voices.rvc_voice import RvcVoice, check_weights
from rwc_pw.voices.store import VoiceStore


class StoredVoice:
    """An RVC voice and the models it needs, as they were when this object was made."""

    def __init__(self, config: ConversionConfig) -> None:
        """``config.model_path`` names the voice; ``UsageError`` if there is no such voice."""
        paths = config.places
        self.folder = stored_folder(Path(config.model_path or ""), VoiceStore(paths.voices_dir))
        self.facts = RvcVoice.read(self.folder)
        check_weights(self.folder)
        self.assets_dir = (config.assets_dir or paths.assets_dir).absolute()
        self.compiled_dir = paths.compiled_dir
        self._config = config

    def is_meant_by(self, config: ConversionConfig) -> bool:
        """Return whether ``config`` means the same voice and converter, and nobody has replaced the voice since."""
        try:
            return config.is_loaded_like(self._config) and RvcVoice.read(self.folder) == self.facts
        except RwcPwError:  # removed meanwhile: the next attempt to load it reports that
            return False

"""The stored voice that a configuration means."""

import os
from pathlib import Path

from rwc_pw.desktop.paths import Paths
from rwc_pw.errors import RwcPwError
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.voices.resolve import stored_folder
from rwc_pw.voices.rvc_voice import RvcVoice
from rwc_pw.voices.store import VoiceStore


class StoredVoice:
    """An RVC voice and the models it needs, as they were when the configuration was given."""

    def __init__(self, config: ConversionConfig) -> None:
        """``config.model_path`` names the voice; ``UsageError`` when there is none such."""
        paths = Paths.from_environment(os.environ)
        self.folder = stored_folder(Path(config.model_path or ""), VoiceStore(paths.voices_dir))
        self.facts = RvcVoice.read(self.folder)
        self.assets_dir = (config.assets_dir or paths.assets_dir).absolute()
        self.compiled_dir = paths.compiled_dir
        self._means = _what_is_meant(config)

    def is_meant_by(self, config: ConversionConfig) -> bool:
        """Whether ``config`` means the same voice, by the same converter, and nobody has replaced it since."""
        try:
            return _what_is_meant(config) == self._means and RvcVoice.read(self.folder) == self.facts
        except RwcPwError:  # it has been removed meanwhile: whoever loads it next will tell
            return False


def _what_is_meant(config: ConversionConfig) -> tuple[object, ...]:
    voice = config.backend, config.model_path, config.assets_dir
    return *voice, config.chunk_samples, config.look_ahead_frames, config.detector

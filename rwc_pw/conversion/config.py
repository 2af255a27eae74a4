"""Settings of a conversion."""

import os
from dataclasses import dataclass
from pathlib import Path

from rwc_pw.conversion.rvc_backends import BATCH, RVC_BACKENDS, RvcBackend
from rwc_pw.errors import UsageError
from rwc_pw.rvc.detectors import AUTO, FCPE, PitchDetector
from rwc_pw.rvc.ultimate import RvcSettings
from rwc_pw.system.paths import Paths
from rwc_pw.voices import options
from rwc_pw.voices.builtin import DEFAULT_VOICE_NAME


@dataclass(frozen=True)
class ConversionConfig:
    """Shifts are semitones added to the voice's own; ``UsageError`` for values out of range."""

    voice: str = DEFAULT_VOICE_NAME
    """A built-in voice, used if there is no ``model_path``."""
    model_path: Path | None = None
    """An RVC voice: its folder in the store, or any ``.pth``, which is imported first."""
    assets_dir: Path | None = None
    """ContentVec and the pitch models, in ultimate-rvc's layout; by default where `rwc-pw setup` puts them."""
    chunk_size: int = int(options.CHUNK_SAMPLES.default)
    """Samples per conversion with an RVC voice; the pipeline uses ``chunk_samples``."""
    backend: str = BATCH.name
    """The converter for an RVC voice: batch (BatchConverter) or streaming (StreamingConverter)."""
    pitch_shift: float = options.PITCH.default
    formant_shift: float = options.FORMANT.default
    index_rate: float = options.INDEX_RATE.default
    """The share of the features that comes from the voice's index, 0 to 1; for RVC voices."""
    protect: float = options.PROTECT.default
    """Protection of consonants and breath from the index, 0 (most) to 0.5 (none); for RVC voices."""
    rms_mix_rate: float = options.RMS_MIX_RATE.default
    """1 keeps the voice's own loudness, 0 gives it the speaker's; for RVC voices."""
    f0_method: str = AUTO
    """The pitch detector for RVC voices: swiftf0 (streaming only), fcpe, rmvpe, or auto, the backend's default."""
    look_ahead: int = int(options.LOOK_AHEAD_MS.default)
    """Milliseconds, 10 to 160; more brings StreamingConverter closer to the offline sound, and delays it."""
    use_rmvpe: bool = True
    """True if the batch backend's default detector is RMVPE; otherwise it is FCPE."""
    gain_db: float = options.GAIN_DB.default
    gate_db: float = options.GATE_DB.default
    """The level in dBFS below which the microphone counts as silent."""
    paths: Paths | None = None
    """The places of stored voices and of what they need; by default those of the user."""

    def __post_init__(self) -> None:
        if self.model_path is None:
            return
        _check("chunk_size", self.chunk_size, options.CHUNK_SAMPLES)
        _check("pitch_shift", self.pitch_shift, options.PITCH)
        _check("formant_shift", self.formant_shift, options.FORMANT)
        _check("index_rate", self.index_rate, options.INDEX_RATE)
        _check("rms_mix_rate", self.rms_mix_rate, options.RMS_MIX_RATE)
        _check("protect", self.protect, options.PROTECT)
        _check("look_ahead", self.look_ahead, options.LOOK_AHEAD_MS)
        if self.backend not in RVC_BACKENDS:
            raise UsageError(f"There is no backend {self.backend!r}.", f"Choose {' or '.join(RVC_BACKENDS)}.")
        self.rvc_backend.detector(self.f0_method)
        if self.pitch_shift != round(self.pitch_shift):
            raise UsageError(
                f"A pitch shift of {self.pitch_shift:g} semitones is not whole.",
                "RVC voices move the pitch by whole semitones: give a whole number.",
            )

    @property
    def places(self) -> Paths:
        """``paths``, or those of the user."""
        return self.paths or Paths.from_environment(os.environ)

    @property
    def rvc_backend(self) -> RvcBackend:
        """The converter for an RVC voice, and everything about it."""
        return RVC_BACKENDS[self.backend]

    @property
    def chunk_samples(self) -> int:
        """``chunk_size`` as the converter takes it, rounded up."""
        step = self.rvc_backend.chunk_step
        return -(-self.chunk_size // step) * step

    def is_loaded_like(self, other: "ConversionConfig") -> bool:
        """Return whether the converter loaded for one can be adjusted to the other."""
        return self._loaded == other._loaded

    @property
    def _loaded(self) -> tuple[object, ...]:
        voice = self.backend, self.model_path, self.assets_dir
        return *voice, self.chunk_samples, self.look_ahead_frames, self.detector.name

    @property
    def look_ahead_frames(self) -> int:
        """``look_ahead``, rounded up to whole frames of 10 ms."""
        return -(-self.look_ahead // 10)

    @property
    def formant_of_rvc(self) -> float:
        """``formant_shift`` for RVC voices; 0 for built-in voices, which shift their formants themselves."""
        return 0.0 if self.model_path is None else self.formant_shift

    @property
    def detector(self) -> PitchDetector:
        """The pitch detector."""
        if self.rvc_backend is BATCH and self.f0_method == AUTO and not self.use_rmvpe:
            return FCPE
        return self.rvc_backend.detector(self.f0_method)

    def rvc_settings(self) -> RvcSettings:
        """These settings in ultimate-rvc's terms."""
        return RvcSettings(
            n_semitones=round(self.pitch_shift),
            f0_method=self.detector.name,
            index_rate=self.index_rate,
            protect_rate=self.protect,
        )


def _check(what: str, value: float, option: options.Option) -> None:
    if not option.least <= value <= option.most:
        raise UsageError(f"{what} is {value:g}.", f"Choose it between {option.least:g} and {option.most:g}.")

"""What a conversion is to do."""

from dataclasses import dataclass
from pathlib import Path

from rwc_pw.errors import UsageError
from rwc_pw.rvc import graphics_card
from rwc_pw.rvc.ultimate import RvcSettings
from rwc_pw.streaming.loudness import OWN_LOUDNESS
from rwc_pw.voices.builtin import DEFAULT_VOICE_NAME, FORMANT_RANGE_SEMITONES, PITCH_RANGE_SEMITONES
from rwc_pw.voices.f0_method import AUTO, FCPE, NETWORK_DETECTORS, RMVPE, detector_of
from rwc_pw.voices.rvc_voice import BACKENDS, BATCH, LOOK_AHEAD_RANGE_MS, STREAMING

MOST_RVC_CHUNK_SAMPLES = 16384
BLOCK_SAMPLES = 960  # of StreamingConverter, which takes one or more; the least for BatchConverter, too


@dataclass(frozen=True)
class ConversionConfig:
    """Shifts are semitones added to the voice's own; ``UsageError`` for what is out of range."""

    voice: str = DEFAULT_VOICE_NAME
    """A built-in voice, where there is no ``model_path``."""
    model_path: Path | None = None
    """An RVC voice: its folder in the store, or any ``.pth``, which is brought in first."""
    assets_dir: Path | None = None
    """ContentVec and the pitch models, in ultimate-rvc's layout; where `rwc-pw setup` puts them, if not given."""
    chunk_size: int = 4096
    """Samples of one conversion by an RVC voice; the pipeline is given ``chunk_samples``."""
    backend: str = BATCH
    """What converts with an RVC voice: batch (BatchConverter) or streaming (StreamingConverter)."""
    pitch_shift: float = 0.0
    formant_shift: float = 0.0
    index_rate: float = 0.75
    """The share of the features that come from the voice's index, 0 to 1; for RVC voices."""
    protect: float = 0.33
    """How much consonants and breath are kept from the index, 0 (most) to 0.5 (not at all); for RVC voices."""
    rms_mix_rate: float = OWN_LOUDNESS
    """1 leaves the voice its own loudness, 0 gives it that of the speaker; for RVC voices."""
    f0_method: str = AUTO
    """What finds the pitch for RVC voices: swiftf0 (streaming alone), fcpe, rmvpe, or what suits the backend."""
    look_ahead: int = 10
    """Milliseconds, 10 to 160; with more StreamingConverter speaks nearer to what is said offline, and later."""
    use_rmvpe: bool = True
    """Whether RMVPE suits the backend batch; without it FCPE does."""
    gain_db: float = 0.0
    gate_db: float = -50.0
    """The microphone counts as silent below, in dBFS."""

    def __post_init__(self) -> None:
        if self.model_path is None:
            return
        _check("chunk_size", self.chunk_size, BLOCK_SAMPLES, MOST_RVC_CHUNK_SAMPLES)
        _check("pitch_shift", self.pitch_shift, -PITCH_RANGE_SEMITONES, PITCH_RANGE_SEMITONES)
        _check("formant_shift", self.formant_shift, -FORMANT_RANGE_SEMITONES, FORMANT_RANGE_SEMITONES)
        _check("index_rate", self.index_rate, 0, 1)
        _check("rms_mix_rate", self.rms_mix_rate, 0, 1)
        _check("protect", self.protect, 0, 0.5)
        _check("look_ahead", self.look_ahead, *LOOK_AHEAD_RANGE_MS)
        if self.backend not in BACKENDS:
            raise UsageError(f"There is no backend {self.backend!r}.", f"Choose {' or '.join(BACKENDS)}.")
        detector_of(self.backend, self.f0_method)
        if self.pitch_shift != round(self.pitch_shift):
            raise UsageError(
                f"A pitch shift of {self.pitch_shift:g} semitones is not whole.",
                "RVC voices move the pitch by whole semitones: give a whole number.",
            )

    @property
    def chunk_samples(self) -> int:
        """``chunk_size`` as the converter takes it: StreamingConverter in whole blocks of 20 ms."""
        return self.chunk_size if self.backend == BATCH else -(-self.chunk_size // BLOCK_SAMPLES) * BLOCK_SAMPLES

    @property
    def look_ahead_frames(self) -> int:
        """``look_ahead`` in whole frames of 10 ms."""
        return -(-self.look_ahead // 10)

    @property
    def formant_of_rvc(self) -> float:
        """``formant_shift`` where a built-in voice does not move them itself."""
        return 0.0 if self.model_path is None else self.formant_shift

    @property
    def detector(self) -> str:
        """What finds the pitch."""
        if self.backend == BATCH and self.f0_method == AUTO:
            return RMVPE if self.use_rmvpe else FCPE
        return detector_of(self.backend, self.f0_method)

    @property
    def device(self) -> str | None:
        """The graphics card on which StreamingConverter computes, as torch calls it; None is the CPU.

        To find one for the first time may take seconds.
        """
        return graphics_card.device() if self.backend == STREAMING and self.detector in NETWORK_DETECTORS else None

    def rvc_settings(self) -> RvcSettings:
        """The same in ultimate-rvc's terms."""
        return RvcSettings(
            n_semitones=round(self.pitch_shift),
            f0_method=self.detector,
            index_rate=self.index_rate,
            protect_rate=self.protect,
        )


def _check(what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UsageError(f"{what} is {value:g}.", f"Choose it between {least:g} and {most:g}.")

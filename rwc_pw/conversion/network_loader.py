"""Loads the network of an RVC voice, on a GPU or else on the CPU."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.conversion.wanted_voice import WantedVoice
from rwc_pw.errors import RwcPwError
from rwc_pw.rvc import gpu
from rwc_pw.rvc.compiled import VoiceCompiler, VoiceSources
from rwc_pw.rvc.cpu_step import CpuStep, DetectPitch
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.pitch import SalienceDetector, detect_pitch
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.step import Step
from rwc_pw.voices.index import BadIndexError
from rwc_pw.voices.rvc_voice import INDEX_FILE
from rwc_pw.voices.stored_voice import StoredVoice

REMOVE_AND_ADD = "Remove the voice, and add it again."
DAMAGE = (OSError, RuntimeError, ValueError, KeyError)  # what damaged files raise

log = logging.getLogger(__name__)


class NetworkLoader:
    """Loads one voice's network, compiling it if needed, as often as it is asked for."""

    def __init__(self, config: ConversionConfig, voice: WantedVoice, plan: Plan) -> None:
        self.is_on_gpu = False
        """True if the network that was loaded last is computed on a GPU."""
        self._config = config
        self._voice = voice
        self._plan = plan
        self._compiler = VoiceCompiler(voice.assets_dir, config.detector, config.look_ahead_frames, voice.compiled_dir)

    @property
    def is_cancelled(self) -> bool:
        return self._compiler.cancelled

    def cancel(self) -> None:
        """Cancel ``load`` and ``compile`` for good, from another thread."""
        self._compiler.cancel()

    def compile(self, on_progress: Callable[[float], None]) -> None:
        """Compile the voice, unless it is compiled; raises what ``load`` raises."""
        self._compiler.compile(self._voice.stored, on_progress)

    def load(self) -> RvcStream:
        """The network, tried on a first block; ``RwcPwError`` if there is no such voice, or it cannot be used."""
        voice = self._voice.stored
        retrieval = _retrieval(voice)
        if device := device_of(self._config):
            sources = self._compiler.sources(voice.facts)
            try:
                return self._open_on_gpu(voice, sources, retrieval, device)
            except RuntimeError as error:
                gpu.give_up(error)
        self.is_on_gpu = False
        folders = self._compiler.compile(voice)
        try:
            return self._open(*folders, retrieval)
        except DAMAGE as error:
            log.warning("the compiled voice cannot be used, and is made anew: %s", error)
        for folder in filter(None, folders):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            return self._open(*self._compiler.compile(voice), retrieval)
        except DAMAGE as error:
            raise RwcPwError(f"The voice {voice.facts.name} cannot be used: {error}.", REMOVE_AND_ADD) from error

    def _open(self, content: Path, network: Path, detector: Path | None, retrieval: Retrieval | None) -> RvcStream:
        def open_detector() -> DetectPitch:
            return SalienceDetector(detector, self._plan.window_samples) if detector else detect_pitch

        return self._tried(CpuStep(content, network, self._plan, open_detector, retrieval))

    def _open_on_gpu(
        self, voice: StoredVoice, sources: VoiceSources, retrieval: Retrieval | None, device: str
    ) -> RvcStream:
        from rwc_pw.rvc.gpu_step import GpuStep

        self.is_on_gpu = True
        step = GpuStep(sources.contentvec, voice.folder, self._plan, sources.detector, retrieval, device)
        return self._tried(step)

    def _tried(self, step: Step) -> RvcStream:
        """Convert a first block; ``RuntimeError`` if the result is not finite."""
        stream = RvcStream(step, self._plan)
        block = stream.convert(np.ones(self._plan.block_frames * CONTENT_FRAME_SAMPLES, np.float32))
        if not np.isfinite(block).all():
            raise RuntimeError("it returned numbers that are not finite")
        return stream


def _retrieval(voice: StoredVoice) -> Retrieval | None:
    if not voice.facts.has_index:
        return None
    path = voice.folder / INDEX_FILE
    try:
        return Retrieval(path)
    except (OSError, BadIndexError) as error:
        raise RwcPwError(f"{path} is damaged.", REMOVE_AND_ADD) from error

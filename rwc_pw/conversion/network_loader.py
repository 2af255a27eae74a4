"""Loads the network of an RVC voice, on a GPU or else on the CPU."""

import logging

import numpy as np

from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.device import device_of
from rwc_pw.conversion.wanted_voice import WantedVoice
from rwc_pw.errors import RwcPwError
from rwc_pw.rvc import gpu
from rwc_pw.rvc.cpu_voice import CpuVoice
from rwc_pw.rvc.graph_files import GraphFiles
from rwc_pw.rvc.live import RvcStream
from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import Step
from rwc_pw.voices.index import BadIndexError
from rwc_pw.voices.rvc_voice import INDEX_FILE
from rwc_pw.voices.stored_voice import StoredVoice

REMOVE_AND_ADD = "Remove the voice, and add it again."
DAMAGE = (OSError, RuntimeError, ValueError, KeyError)  # what damaged files raise

log = logging.getLogger(__name__)


class NetworkLoader:
    """Loads one voice's network as often as it is asked for."""

    def __init__(self, config: ConversionConfig, voice: WantedVoice, plan: Plan) -> None:
        self.is_on_gpu = False
        """True if the network that was loaded last is computed on a GPU."""
        self._config = config
        self._voice = voice
        self._plan = plan

    def load(self) -> RvcStream:
        """The network, tried on a first block; ``RwcPwError`` if there is no such voice, or it cannot be used."""
        voice = self._voice.stored
        sources = VoiceSources.find(voice, self._voice.assets_dir, self._config.detector)
        retrieval = _retrieval(voice)
        if device := device_of(self._config):
            try:
                return self._open_on_gpu(sources, retrieval, device)
            except RuntimeError as error:
                gpu.give_up(error)
        self.is_on_gpu = False
        files = GraphFiles(self._voice.compiled_dir)
        try:
            return self._tried(CpuVoice(sources, self._plan, retrieval, files))
        except DAMAGE as error:
            log.warning("the voice's networks cannot be used, and are built anew: %s", error)
        files.discard()
        try:
            return self._tried(CpuVoice(sources, self._plan, retrieval, files))
        except DAMAGE as error:
            raise RwcPwError(f"The voice {voice.facts.name} cannot be used: {error}.", REMOVE_AND_ADD) from error

    def _open_on_gpu(self, sources: VoiceSources, retrieval: Retrieval | None, device: str) -> RvcStream:
        from rwc_pw.rvc.gpu_voice import GpuVoice

        self.is_on_gpu = True
        return self._tried(GpuVoice(sources, self._plan, retrieval, device))

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

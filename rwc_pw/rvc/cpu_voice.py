"""A voice on the CPU: networks in OpenVINO, with numpy in between."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rwc_pw.rvc.block import BlockState, compute
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.graph_files import GraphFiles
from rwc_pw.rvc.network.text_encoder import relative_positions
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES, Array, SalienceDetector, detect_by_swift_f0
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.precision import convolution_precision
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import StepNoise, StepSettings
from rwc_pw.system.memory import give_back_freed
from rwc_pw.voices.architecture import FEATURES
from rwc_pw.voices.rvc_voice import MODEL_FILE


class CpuVoice:
    """A ``Step``, and the ``Networks`` of it."""

    pitch: Callable[[Array], Array] | None
    retrieval: Callable[[Array, Any], Array] | None

    def __init__(self, sources: VoiceSources, plan: Plan, retrieval: Retrieval | None, files: GraphFiles) -> None:
        """``files`` has the networks, or gets them."""
        network = sources.network
        self.functions: Any = np
        self.channels = network.inter
        self.samples_per_frame = network.sample_rate_hz // 100
        self.source = sources.source
        self.retrieval = retrieval.blended if retrieval else None
        self._plan = plan
        self._has_pitch = network.has_pitch
        self._width = FEATURES[network.version]
        self._positions = relative_positions(plan.text_frames, network.heads)
        with ThreadPoolExecutor() as pool:
            content = pool.submit(_content, files, sources, plan)
            pitch = pool.submit(open_detector, files, sources, plan.window_samples)
            voice = files.voice(sources.name, sources.folder / MODEL_FILE, plan.look_ahead_frames)
            text = pool.submit(self._open_text, voice / "text.xml")
            self._decoder = self._open_decoder(voice / "decoder.xml")
        self._content, self._text, self.pitch = content.result(), text.result(), pitch.result()
        give_back_freed()  # 300 MB, of what was built
        self.reset()

    def reset(self) -> None:
        past = self._plan.past_frames
        self._decoder.reset()
        self._state = BlockState(
            np.zeros((past, self._width), np.float32), np.zeros(past, np.float32), np.float64(0), np.True_
        )

    def __call__(self, window: Array, noise: StepNoise, settings: StepSettings) -> Array:
        drawn = noise.frames, noise.source
        sound, self._state = compute(self, self._plan, self._state, window, drawn, settings.numbers())
        output: Array = sound
        return output

    def content(self, window: Array) -> Array:
        features: Array = self._content(window[None])[0][0]
        return features

    def text(self, features: Array, bins: Any) -> tuple[Array, Array]:
        mean, log_deviation = self._text(features[None], *self._positions, *([] if bins is None else [bins]))
        return mean[0], log_deviation[0]

    def decoded(self, frames: Array, source: Array | None) -> Array:
        given = [np.ascontiguousarray(frames[None], np.float32)]
        sound: Array = self._decoder(*given, *([] if source is None else [source[None, None]]))[0][0, 0]
        return sound

    def _open_text(self, path: Path) -> CpuNetwork:
        frames = self._plan.text_frames
        shapes = [(1, frames, self._width), *(index.shape for index in self._positions)]
        return CpuNetwork(path, [*shapes, *self._if_pitch((frames,))])

    def _open_decoder(self, path: Path) -> CpuNetwork:
        frames = self._plan.decoded_frames
        source = self._if_pitch((1, 1, frames * self.samples_per_frame))
        # the others hardly profit, and would need as much memory again
        return CpuNetwork(path, [(1, self.channels, frames), *source], convolution_precision())

    def _if_pitch(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [shape] if self._has_pitch else []


def open_detector(files: GraphFiles, sources: VoiceSources, window_samples: int) -> Callable[[Array], Array] | None:
    """The voice's way to find the pitch; None if it has no pitch."""
    detector, weights = sources.detector, sources.detector_weights
    if not detector:
        return None
    if not (weights and detector.network):
        return detect_by_swift_f0
    facts, folder = detector.network().facts, files.salience(detector.name, weights)
    frames = sum(facts.frames(window_samples))
    network = CpuNetwork(folder / "salience.xml", [(1, frames, SPECTRUM_SAMPLES // 2 + 1)])

    def salience(magnitudes: Array) -> Array:
        found: Array = network(magnitudes)[0]
        if not np.isfinite(found).all():  # otherwise all would be taken for unvoiced
            raise RuntimeError("the pitch detector returned numbers that are not finite")
        return found

    return SalienceDetector(np, np.asarray, salience, facts, window_samples)


def _content(files: GraphFiles, sources: VoiceSources, plan: Plan) -> CpuNetwork:
    folder = files.content(sources.contentvec, sources.network.version)
    return CpuNetwork(folder / "content.xml", [(1, plan.window_samples)])

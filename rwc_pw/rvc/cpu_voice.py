"""A voice on the CPU: networks in OpenVINO, with numpy in between."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rwc_pw.rvc.block import BlockState, compute
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.rvc.network.carry import Carry
from rwc_pw.rvc.network.content import Content
from rwc_pw.rvc.network.decoder import Decoder
from rwc_pw.rvc.network.openvino_operations import OpenvinoOperations
from rwc_pw.rvc.network.salience import NETWORKS
from rwc_pw.rvc.network.text_encoder import TextEncoder
from rwc_pw.rvc.pitch import SPECTRUM_SAMPLES, Array, SalienceDetector, detect_by_swift_f0
from rwc_pw.rvc.plan import Plan
from rwc_pw.rvc.retrieval import Retrieval
from rwc_pw.rvc.sources import VoiceSources
from rwc_pw.rvc.step import StepNoise, StepSettings
from rwc_pw.rvc.weights import read_weights
from rwc_pw.voices.architecture import FEATURES


class CpuVoice:
    """A ``Step``, and the ``Networks`` of it."""

    retrieval: Callable[[Array, Any], Array] | None

    def __init__(self, sources: VoiceSources, plan: Plan, retrieval: Retrieval | None) -> None:
        network, _ = sources.voice
        self.functions: Any = np
        self.channels = network.inter
        self.samples_per_frame = math.prod(network.upsample_rates)
        self.source = sources.source
        self.retrieval = retrieval.blended if retrieval else None
        self._plan = plan
        self._width = FEATURES[network.version]
        with ThreadPoolExecutor() as pool:
            content = pool.submit(CpuNetwork, lambda ops: _content(ops, sources, plan))
            text = pool.submit(CpuNetwork, lambda ops: _text(ops, sources, plan))
            pitch = pool.submit(open_detector, sources, plan.window_samples)
            self._decoder = CpuNetwork(lambda ops: _decoder(ops, sources, plan))
        self._content, self._text, self.pitch = content.result(), text.result(), pitch.result()
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
        mean, log_deviation = self._text(features[None], *([] if bins is None else [bins]))
        return mean[0], log_deviation[0]

    def decoded(self, frames: Array, source: Array | None) -> Array:
        given = [np.ascontiguousarray(frames[None], np.float32)]
        sound: Array = self._decoder(*given, *([] if source is None else [source[None, None]]))[0][0, 0]
        return sound


def open_detector(sources: VoiceSources, window_samples: int) -> Callable[[Array], Array] | None:
    """The voice's way to find the pitch; None if it has no pitch."""
    if not sources.detector:
        return None
    if not sources.detector_weights:
        return detect_by_swift_f0
    stored, facts = read_weights(sources.detector_weights), []
    make = NETWORKS[sources.detector.name]

    def build(ops: OpenvinoOperations) -> Any:
        network = make(ops, stored)
        facts.append(network.facts)
        magnitudes = ops.input([1, sum(network.facts.frames(window_samples)), SPECTRUM_SAMPLES // 2 + 1])
        return ops.model([magnitudes], [network(magnitudes)], [])

    network = CpuNetwork(build)

    def salience(magnitudes: Array) -> Array:
        rated: Array = network(magnitudes)[0]
        if not np.isfinite(rated).all():  # otherwise all would be taken for unvoiced
            raise RuntimeError("the pitch detector returned numbers that are not finite")
        return rated

    return SalienceDetector(np, np.asarray, salience, facts[0], window_samples)


def _content(ops: OpenvinoOperations, sources: VoiceSources, plan: Plan) -> Any:
    network, _ = sources.voice
    sound = ops.input([1, plan.window_samples])
    return ops.model([sound], [Content(ops, sources.contentvec, network.version)(sound)], [])


def _text(ops: OpenvinoOperations, sources: VoiceSources, plan: Plan) -> Any:
    network, weights = sources.voice
    inputs = [ops.input([1, plan.text_frames, FEATURES[network.version]])]
    if network.has_pitch:
        inputs.append(ops.input([plan.text_frames], np.int64))
    return ops.model(inputs, TextEncoder(ops, weights, network, plan.text_frames)(*inputs), [])


def _decoder(ops: OpenvinoOperations, sources: VoiceSources, plan: Plan) -> Any:
    network, weights = sources.voice
    decoder, carry = Decoder(ops, weights, network), Carry(ops, plan.look_ahead_frames)
    frames = ops.input([1, network.inter, plan.decoded_frames])
    samples = plan.decoded_frames * decoder.samples_per_frame
    source = ops.input([1, 1, samples]) if network.has_pitch else None
    sound = decoder(frames, source, carry)
    return ops.model([frames] if source is None else [frames, source], [sound], carry.after)

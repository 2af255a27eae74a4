"""The whole way of the voice through the converter: gate, conversion, gain, limiter."""

import numpy as np

from rwc_pw.streaming.backend import ConversionBackend, Samples
from rwc_pw.streaming.gate import NoiseGate
from rwc_pw.streaming.limiter import Limiter


class VoiceChain(ConversionBackend):
    """``gate`` → ``converter`` → ``gain_db`` → ``limiter``, as one converter."""

    def __init__(self, converter: ConversionBackend, gate: NoiseGate, limiter: Limiter, gain_db: float = 0.0) -> None:
        self.converter = converter
        self._gate = gate
        self._limiter = limiter
        self._gain = np.float32(10.0 ** (gain_db / 20.0))

    @property
    def latency_samples(self) -> int:
        """The converter's delay and the limiter's."""
        return self.converter.latency_samples + self._limiter.latency_samples

    def initialize(self) -> None:
        self.converter.initialize()
        self._gate.reset()
        self._limiter.reset()

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        if context is not None:
            self._gate.reset()
            self._limiter.reset()
            context = self._gate.process(context)
        converted = self.converter.convert_chunk(self._gate.process(audio_chunk), context)
        return self._limiter.process(converted * self._gain)

    def cleanup(self) -> None:
        self.converter.cleanup()

"""The whole signal chain: effects, the converter, effects."""

from collections.abc import Iterable, Sequence

from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.effect import Effect


class VoiceChain(ConversionBackend):
    """A converter with effects ``before`` and ``after`` it, as one converter."""

    def __init__(self, converter: ConversionBackend, before: Sequence[Effect], after: Sequence[Effect]) -> None:
        self.converter = converter
        self._before = before
        self._after = after

    @property
    def latency_samples(self) -> int:
        """The sum of the stages' delays."""
        return self.converter.latency_samples + sum(effect.latency_samples for effect in self._effects())

    @property
    def kind(self) -> object:
        return self.converter.kind

    def initialize(self) -> None:
        self.converter.initialize()
        self._reset()

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        if context is not None:
            self._reset()
            context = self._prepared(context)
        source = self._prepared(audio_chunk)
        output = self.converter.convert_chunk(source, context)
        for effect in self._after:
            effect.observe(source)
            output = effect.process(output)
        return output

    def fade_out(self, audio_chunk: Samples) -> Samples:
        source = self._prepared(audio_chunk)
        output = self.converter.fade_out(source)
        source = source[: len(output)]
        for effect in self._after:
            effect.observe(source)
            output = effect.flush(output)
        return output[: len(audio_chunk)]

    def adjust(self, config: ConversionConfig) -> bool:
        if not self.converter.adjust(config):
            return False
        for effect in self._effects():
            effect.adjust(config)
        return True

    def cleanup(self) -> None:
        self.converter.cleanup()

    def _effects(self) -> Iterable[Effect]:
        return (*self._before, *self._after)

    def _reset(self) -> None:
        for effect in self._effects():
            effect.reset()

    def _prepared(self, sound: Samples) -> Samples:
        for effect in self._before:
            sound = effect.process(sound)
        return sound

import numpy as np
import pytest

from rwc_pw.audio.samples import Samples
from rwc_pw.conversion.backend import ConversionBackend, IdentityBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.effects.chain import VoiceChain
from rwc_pw.conversion.effects.formant import FormantShifter
from rwc_pw.conversion.effects.gain import Gain
from rwc_pw.conversion.effects.gate import NoiseGate
from rwc_pw.conversion.effects.limiter import Limiter
from rwc_pw.conversion.effects.loudness import LoudnessMix
from rwc_pw.conversion.vocoder.backend import VocoderBackend
from rwc_pw.voices.builtin import BuiltinVoice

DOUBLE_DB = 20 * np.log10(2.0)


def a_chain(
    converter: ConversionBackend | None = None, gain_db: float = 0.0, gate: NoiseGate | None = None
) -> VoiceChain:
    after = [LoudnessMix(1.0, 0), FormantShifter(0.0), Gain(gain_db), Limiter()]
    return VoiceChain(converter or IdentityBackend(), [gate or NoiseGate(open_db=None)], after)


def noise(count: int, level: float = 0.25) -> Samples:
    return np.random.default_rng(0).uniform(-level, level, count).astype(np.float32)


def flat(count: int, level: float = 0.25) -> Samples:
    return np.full(count, level, np.float32)


def test_its_delay_is_the_sum_of_its_parts() -> None:
    chain = a_chain(VocoderBackend(BuiltinVoice("same", "")))
    sound = noise(6000)
    delay = chain.latency_samples
    assert delay > Limiter().latency_samples
    np.testing.assert_allclose(chain.convert_chunk(sound)[delay:], sound[:-delay], atol=1e-6)


def test_the_gain_is_applied() -> None:
    chain = a_chain(gain_db=DOUBLE_DB)
    delay = chain.latency_samples
    np.testing.assert_allclose(chain.convert_chunk(flat(1000))[delay:], 0.5, rtol=1e-6)


def test_no_gain_gets_past_the_limiter() -> None:
    assert np.abs(a_chain(gain_db=40.0).convert_chunk(noise(2000))).max() <= 10 ** (-1 / 20)


def test_the_gate_hears_the_microphone_not_the_gain() -> None:
    chain = a_chain(gain_db=40.0, gate=NoiseGate(open_db=-30.0, close_db=-36.0))
    assert not chain.convert_chunk(noise(2000, level=0.01)).any()


class Recorder(IdentityBackend):
    context: Samples | None = None

    def adjust(self, config: ConversionConfig) -> bool:
        return True

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        self.context = context
        return audio_chunk


def test_the_context_opens_the_gate_and_reaches_the_converter() -> None:
    recorder = Recorder()
    chain = a_chain(recorder, gate=NoiseGate(open_db=-30.0, close_db=-70.0))
    sound = chain.convert_chunk(flat(500, 0.005), context=flat(500))
    assert recorder.context is not None
    assert recorder.context[-1] == 0.25
    assert sound[-1] == np.float32(0.005)


def test_initialize_forgets_all_that_was() -> None:
    chain = a_chain(VocoderBackend(BuiltinVoice("same", "")), gate=NoiseGate(open_db=-30.0, close_db=-70.0))
    chain.convert_chunk(flat(1000))
    chain.initialize()
    assert not chain.convert_chunk(flat(2000, 0.005)).any()


def test_a_context_leaves_nothing_of_what_was_before() -> None:
    chain = a_chain()
    chain.convert_chunk(flat(1000))
    assert not chain.convert_chunk(np.zeros(200, np.float32), context=np.zeros(10, np.float32)).any()


@pytest.mark.parametrize("chunk_samples", [1, 100, 256])
def test_the_cuts_make_no_difference(chunk_samples: int) -> None:
    sound = noise(3000) * np.linspace(0, 8, 3000, dtype=np.float32)
    whole = a_chain(gain_db=3.0, gate=NoiseGate()).convert_chunk(sound)
    chain = a_chain(gain_db=3.0, gate=NoiseGate())
    parts = [chain.convert_chunk(sound[at : at + chunk_samples]) for at in range(0, len(sound), chunk_samples)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_another_gain_is_reached_without_a_step_and_stays() -> None:
    chain = a_chain(Recorder(), gate=NoiseGate())
    before = chain.convert_chunk(flat(1000))
    assert chain.adjust(ConversionConfig(gain_db=DOUBLE_DB))
    heard = np.concatenate([before, chain.convert_chunk(flat(1000)), chain.convert_chunk(flat(1000))])
    heard = heard[500:]
    assert np.abs(np.diff(heard)).max() < 0.001
    np.testing.assert_allclose(heard[-1000:], 0.5, rtol=1e-6)


def test_another_gate_holds_for_what_is_said_from_now_on() -> None:
    chain = a_chain(Recorder(), gate=NoiseGate(open_db=-50.0, close_db=-56.0))
    chain.adjust(ConversionConfig(gate_db=-10.0))
    assert not chain.convert_chunk(flat(1000)).any()
    chain.adjust(ConversionConfig(gate_db=-20.0))
    assert chain.convert_chunk(flat(1000)).any()


def test_where_the_converter_cannot_be_adjusted_nothing_is() -> None:
    chain = a_chain()
    assert not chain.adjust(ConversionConfig(gain_db=DOUBLE_DB, gate_db=0.0))
    np.testing.assert_allclose(chain.convert_chunk(flat(1000))[chain.latency_samples :], 0.25, rtol=1e-6)


def test_an_effect_after_the_converter_knows_its_input() -> None:
    class Louder(IdentityBackend):
        def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
            return 2 * audio_chunk

    chain = VoiceChain(Louder(), [], [LoudnessMix(0.0, 0)])
    np.testing.assert_allclose(chain.convert_chunk(flat(9600))[-100:], 0.25, rtol=1e-3)
    np.testing.assert_allclose(chain.fade_out(flat(9600))[-100:], 0.25, rtol=1e-3)


class Brief(IdentityBackend):
    """Says at last no more than 10 ms."""

    def fade_out(self, audio_chunk: Samples) -> Samples:
        return audio_chunk[:480]


def test_its_last_words_are_all_that_it_still_holds_and_no_more_than_a_chunk() -> None:
    formant, limiter = FormantShifter(4.0), Limiter()
    chain = VoiceChain(Brief(), [], [formant, limiter])
    for chunk in (4800, 960):
        chain.convert_chunk(noise(9600))
        last = chain.fade_out(noise(chunk))
        assert len(last) == min(480 + formant.latency_samples, chunk)
        held = last[: formant.latency_samples - limiter.latency_samples]
        levels = np.abs(held[: len(held) // 96 * 96].reshape(-1, 96)).max(axis=1)
        assert levels.min() > 0.05

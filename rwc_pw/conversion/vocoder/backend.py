"""The built-in converter: shifts pitch and formants in the short-time spectrum."""

import numpy as np
from stftpitchshift.resampler import linear as stretch
from stftpitchshift.stft import asymmetric_analysis_window, asymmetric_synthesis_window

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.vocoder.excitation import Excitation, Noise, PulseTrain
from rwc_pw.conversion.vocoder.pitchshifter import PitchShifter
from rwc_pw.conversion.vocoder.spectrum import Complexes, PitchDetector, Reals, envelope, find_peaks
from rwc_pw.voices.builtin import BuiltinVoice, Effect

FRAME_SAMPLES = 2048
SYNTHESIS_SAMPLES = 1024
HOP_SAMPLES = 256
ROBOT_PITCH_HZ = 110.0


class VocoderBackend(ConversionBackend):
    """Speaks in a built-in ``voice``.

    Frames lie on a grid of ``HOP_SAMPLES`` that starts with the first sample, so the output is bit-identical for
    any chunking of the input. A frame of ``FRAME_SAMPLES`` looks back; only its newest ``SYNTHESIS_SAMPLES`` are
    put out, and a sample is finished with the last frame that contains it: at the latest ``SYNTHESIS_SAMPLES - 1``
    after it came in. No shorter delay works for every chunking of the input.
    """

    def __init__(self, voice: BuiltinVoice) -> None:
        self._analysis = asymmetric_analysis_window(FRAME_SAMPLES, SYNTHESIS_SAMPLES)
        synthesis = asymmetric_synthesis_window(FRAME_SAMPLES, SYNTHESIS_SAMPLES)
        overlap = np.sum(self._analysis * synthesis) / HOP_SAMPLES
        self._synthesis = synthesis[-SYNTHESIS_SAMPLES:] / overlap
        weights = self._analysis[-SYNTHESIS_SAMPLES:] * self._synthesis
        self._output_weights = weights * np.sqrt(FRAME_SAMPLES / 2 * np.sum(self._analysis**2) / np.sum(weights**2))
        self._pitch = PitchDetector(self._analysis, SAMPLE_RATE_HZ)
        self._shifter = PitchShifter(FRAME_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ)
        self._rolled = np.empty(FRAME_SAMPLES)
        self._nothing = np.zeros(HOP_SAMPLES)
        self._pitch_ratio = 2.0 ** (voice.pitch_semitones / 12)
        self._formant_ratio = 2.0 ** (voice.formant_semitones / 12)
        self._effect = voice.effect
        self.initialize()

    @property
    def latency_samples(self) -> int:
        """One sample less than the synthesis window: 21 ms."""
        return SYNTHESIS_SAMPLES - 1

    def initialize(self) -> None:
        self._recent: Reals = np.zeros(FRAME_SAMPLES)
        self._sum: Reals = np.zeros(SYNTHESIS_SAMPLES)
        self._waiting: Samples = np.zeros(0, np.float32)
        self._ready: Samples = np.zeros(HOP_SAMPLES - 1, np.float32)
        self._shifter.reset()
        self._excitation = _excitation(self._effect, self._pitch_ratio)
        if self._excitation:
            self._excited = self._excitation.next_samples(FRAME_SAMPLES)

    def convert_chunk(self, audio_chunk: Samples, context: Samples | None = None) -> Samples:
        if context is not None:
            self.initialize()
            self.convert_chunk(context)
        waiting = np.concatenate((self._waiting, audio_chunk))
        whole = len(waiting) // HOP_SAMPLES * HOP_SAMPLES
        hops = [self._next_hop(waiting[at : at + HOP_SAMPLES]) for at in range(0, whole, HOP_SAMPLES)]
        self._waiting = waiting[whole:]
        ready: Samples = np.concatenate((self._ready, *hops))
        self._ready = ready[len(audio_chunk) :]
        return ready[: len(audio_chunk)]

    def cleanup(self) -> None:
        pass

    def _next_hop(self, hop: Samples) -> Samples:
        """Take in the next ``HOP_SAMPLES`` and return those that are finished."""
        _push(self._recent, hop)
        if self._excitation:
            _push(self._excited, self._excitation.next_samples(HOP_SAMPLES))
        spectrum = self._spectrum(self._recent)
        magnitudes = np.abs(spectrum)
        power = float(np.dot(magnitudes, magnitudes))
        if power > 0.0:
            frame = np.fft.irfft(self._convert(spectrum, magnitudes, power))
            half = SYNTHESIS_SAMPLES // 2
            self._sum += np.concatenate((frame[-half:], frame[:half])) * self._synthesis
        done = self._sum[:HOP_SAMPLES].astype(np.float32)
        _push(self._sum, self._nothing)
        return done

    def _spectrum(self, sound: Reals) -> Complexes:
        """The spectrum of a frame, with phases relative to the middle of the synthesis window."""
        after = SYNTHESIS_SAMPLES // 2
        np.multiply(sound[-after:], self._analysis[-after:], out=self._rolled[:after])
        np.multiply(sound[:-after], self._analysis[:-after], out=self._rolled[after:])
        return np.fft.rfft(self._rolled)

    def _convert(self, spectrum: Complexes, magnitudes: Reals, power: float) -> Complexes:
        """The spectrum in the new voice, with the same power."""
        pitch_bins = self._pitch.pitch_bins(magnitudes)
        response = envelope(magnitudes, pitch_bins)
        if self._excitation:
            source = self._spectrum(self._excited)
            power = self._input_power()
        else:
            peaks = find_peaks(magnitudes)
            flat = spectrum / response
            source = self._shifter.shift(spectrum, flat, peaks, magnitudes[peaks], pitch_bins, self._pitch_ratio)
        converted: Complexes = source * stretch(response, self._formant_ratio)
        converted_power = float(np.vdot(converted, converted).real)
        return converted * np.sqrt(power / converted_power) if converted_power else converted

    def _input_power(self) -> float:
        """The frame's power, weighted as its output is, so that a source of constant level follows the speech."""
        recent = self._recent[-SYNTHESIS_SAMPLES:] * self._output_weights
        return float(np.dot(recent, recent))


def _push(buffer: Reals, new: Reals | Samples) -> None:
    """Append ``new`` to ``buffer``, and drop as much from its start."""
    buffer[: -len(new)] = buffer[len(new) :]
    buffer[-len(new) :] = new


def _excitation(effect: Effect, pitch_ratio: float) -> Excitation | None:
    match effect:
        case Effect.ROBOT:
            return PulseTrain(ROBOT_PITCH_HZ * pitch_ratio, SAMPLE_RATE_HZ)
        case Effect.WHISPER:
            return Noise()
        case Effect.NONE:
            return None

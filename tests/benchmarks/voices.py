"""Measures the built-in voices on recorded speech: python -m tests.benchmarks.voices DIRECTORY [VOICE...].

DIRECTORY is searched for WAV and FLAC files, at any depth and any rate. Per voice: the share of one core's time that
the converter and the whole chain take in chunks of 256 samples (process time, median of the hops), the algorithmic
delay, pitch out over pitch in (median of the frames voiced in both) with the ratio asked for, the move of the
long-term envelope along the log-frequency axis, and the level out over in.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.conversion.backend import ConversionBackend
from rwc_pw.conversion.vocoder.backend import VocoderBackend
from rwc_pw.streaming import ConversionConfig, create_backend
from rwc_pw.voices.builtin import BUILTIN_VOICES, BuiltinVoice, Effect

CHUNK_SAMPLES = 256
PITCH_FRAME_SAMPLES = 2400
ENVELOPE_FRAME_SAMPLES = 512
ENVELOPE_STEPS_PER_SEMITONE = 10
Reals = NDArray[np.floating[Any]]


def load_speech(directory: Path, files: int, seconds: float) -> Samples:
    """The beginnings of some files under ``directory``, spread evenly, one after the other."""
    found = sorted(path for path in directory.rglob("*") if path.suffix.lower() in (".wav", ".flac"))
    if not found:
        raise SystemExit(f"no WAV or FLAC files under {directory}")
    parts = []
    for path in found[:: max(1, len(found) // files)][:files]:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        parts.append(at_48_khz(sound.mean(axis=1), rate_hz)[: int(seconds * SAMPLE_RATE_HZ)])
    return np.concatenate(parts).astype(np.float32)


def at_48_khz(sound: Samples, rate_hz: int) -> Samples:
    samples = len(sound) * SAMPLE_RATE_HZ // rate_hz
    return (np.fft.irfft(np.fft.rfft(sound), samples) * samples / len(sound)).astype(np.float32)


def run(backend: ConversionBackend, speech: Samples) -> tuple[Samples, float]:
    """What comes out, and the share of one core's time."""
    backend.initialize()
    spent, out = [], []
    for at in range(0, len(speech) - CHUNK_SAMPLES, CHUNK_SAMPLES):
        start = time.thread_time()
        out.append(backend.convert_chunk(speech[at : at + CHUNK_SAMPLES]))
        spent.append(time.thread_time() - start)
    return np.concatenate(out), float(np.median(spent)) * SAMPLE_RATE_HZ / CHUNK_SAMPLES


def pitch_track_hz(sound: Samples) -> Reals:
    """The pitch of each frame by normalised autocorrelation, or NaN."""
    frames = sound[: len(sound) // PITCH_FRAME_SAMPLES * PITCH_FRAME_SAMPLES].reshape(-1, PITCH_FRAME_SAMPLES)
    window = np.hanning(PITCH_FRAME_SAMPLES)
    own = autocorrelation(window[np.newaxis])[0]
    lags = autocorrelation(frames * window)
    strength = lags / np.maximum(lags[:, :1], 1e-9) / (own / own[0])
    shortest, longest = SAMPLE_RATE_HZ // 500, SAMPLE_RATE_HZ // 50
    within = strength[:, shortest:longest]
    near = np.argmax(within > 0.9 * within.max(axis=1, keepdims=True), axis=1)
    best = np.array([at + np.argmax(row[at : at + 20]) for at, row in zip(near, within, strict=True)])
    loud = np.sqrt(np.mean(frames**2, axis=1)) > 0.01
    return np.where(loud & (within.max(axis=1) > 0.8), SAMPLE_RATE_HZ / (shortest + best), np.nan)


def autocorrelation(frames: Reals) -> Reals:
    spectra = np.fft.rfft(frames, 2 * frames.shape[1], axis=1)
    lags: Reals = np.fft.irfft(np.abs(spectra) ** 2, axis=1)[:, : SAMPLE_RATE_HZ // 50]
    return lags


def formant_move_semitones(before: Samples, after: Samples) -> float:
    """The shift in log frequency, 900 Hz to 7.5 kHz, that best lays one long-term envelope on the other."""
    notes = np.arange(0, 12 * np.log2(7500 / 900), 1 / ENVELOPE_STEPS_PER_SEMITONE)
    grid_hz = 900 * 2 ** (notes / 12)

    def envelope_db(sound: Samples) -> Reals:
        frames = sliding_window_view(sound, ENVELOPE_FRAME_SAMPLES)[:: ENVELOPE_FRAME_SAMPLES // 2]
        spectra = np.fft.rfft(frames * np.hanning(ENVELOPE_FRAME_SAMPLES))
        frequencies_hz = np.fft.rfftfreq(ENVELOPE_FRAME_SAMPLES, 1 / SAMPLE_RATE_HZ)
        power = np.mean(np.abs(spectra) ** 2, axis=0)
        return np.asarray(np.interp(grid_hz, frequencies_hz, 10 * np.log10(power + 1e-8)))

    first, second = envelope_db(before), envelope_db(after)
    span = 6 * ENVELOPE_STEPS_PER_SEMITONE
    middle = first[span:-span] - first[span:-span].mean()
    errors = []
    for move in range(-span, span + 1):
        moved = second[span + move : len(second) - span + move]
        errors.append(np.mean((moved - moved.mean() - middle) ** 2))
    return (int(np.argmin(errors)) - span) / ENVELOPE_STEPS_PER_SEMITONE


def report(voice: BuiltinVoice, speech: Samples) -> str:
    backend = VocoderBackend(voice)
    out, share = run(backend, speech)
    _, chain_share = run(create_backend(ConversionConfig(voice=voice.name)), speech)
    delay_samples = backend.latency_samples
    before, after = speech[: len(out) - delay_samples], out[delay_samples:]
    asked = 2 ** (voice.pitch_semitones / 12)
    pitch_in, pitch_out = pitch_track_hz(before), pitch_track_hz(after)
    both = np.isfinite(pitch_in) & np.isfinite(pitch_out)
    if voice.effect is Effect.NONE:
        pitch = f"x{np.median(pitch_out[both] / pitch_in[both]):.3f} (asked x{asked:.3f})"
    elif np.isfinite(pitch_out).any():
        low, middle, high = np.nanpercentile(pitch_out, [10, 50, 90])
        pitch = f"{low:.0f} {middle:.0f} {high:.0f} Hz"
    else:
        pitch = "none"
    delay_ms = 1000 * delay_samples / SAMPLE_RATE_HZ
    voiced = both.sum() / max(1, np.isfinite(pitch_in).sum())
    moved = formant_move_semitones(before, after)
    level_db = 20 * np.log10(after.std() / before.std())
    return (
        f"{voice.name:9} {100 * share:4.1f} % {100 * chain_share:4.1f} %  {delay_ms:4.1f} ms  {pitch:24}"
        f" in {voiced:4.0%}  {moved:+5.1f} (asked {voice.formant_semitones:+.1f}) st  {level_db:+5.1f} dB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("voices", nargs="*", metavar="voice", default=list(BUILTIN_VOICES))
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each file")
    arguments = parser.parse_args()
    speech = load_speech(arguments.directory, arguments.files, arguments.seconds)
    print(f"{len(speech) / SAMPLE_RATE_HZ:.0f} s of speech; voice, converter, chain, delay, pitch, formants, level")
    for name in arguments.voices:
        print(report(BUILTIN_VOICES[name], speech), flush=True)


if __name__ == "__main__":
    main()

"""Buffers sound before and after the converter, on one timeline counted in samples."""

import math
from dataclasses import dataclass

import numpy as np

from rwc_pw.audio.crossfade import crossfade
from rwc_pw.audio.declick import Declick
from rwc_pw.audio.fifo import SampleFifo
from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples


@dataclass(frozen=True)
class BufferConfig:
    """The size of a conversion and of the buffers; each buffer holds at least two chunks."""

    chunk_size: int = 256
    """Samples per conversion."""
    input_buffer_ms: float = 200.0
    output_buffer_ms: float = 400.0

    def __post_init__(self) -> None:
        if self.chunk_size < 1 or self.input_buffer_ms <= 0 or self.output_buffer_ms <= 0:
            raise ValueError("chunk_size, input_buffer_ms and output_buffer_ms must be positive")

    def capacity_samples(self, length_ms: float) -> int:
        """The length in samples, at least two chunks."""
        return max(round(length_ms * SAMPLE_RATE_HZ / 1000), 2 * self.chunk_size)


@dataclass(frozen=True)
class BufferHealth:
    """Samples buffered now, and samples lost since the start."""

    input_samples: int
    output_samples: int
    dropped_samples: int
    """Discarded because a buffer was full."""
    late_samples: int
    """Discarded because silence had already been put out in their place."""
    overdue_samples: int
    """Replaced with silence and still to come: above 0, the converter is behind."""


class BufferManager:
    """Input and output buffer with one invariant: output sample ``p`` is input sample ``p - delay``, or silence.

    The delay grows if the caller asks for sound that cannot have been converted yet (its chunk is not full),
    which happens in the first moments of a stream, and by ``hold_back``. Otherwise it is constant: sound that
    comes too late was replaced with silence, and is discarded and counted when it comes; what a full input
    drops is replaced with silence of the same length. Only ``align``, ``shorten`` and a full output, from which
    nobody reads, shorten it.
    """

    def __init__(self, config: BufferConfig) -> None:
        self.config = config
        self._input = SampleFifo(config.capacity_samples(config.input_buffer_ms))
        self._output = SampleFifo(config.capacity_samples(config.output_buffer_ms))
        self._dropped_samples = 0
        self._late_samples = 0
        self.reset()

    def reset(self) -> None:
        """Discard all sound and begin a new timeline; the counts of lost samples stay."""
        self._input.clear()
        self._output.clear()  # NaN means silence in it
        self._declick = Declick()
        self._gap_samples = 0  # dropped from the input; their silence is not in the output yet
        self._converting_samples = 0
        self._overdue_samples = 0
        self.delay_samples = 0  # of the output behind the input
        self._held_back_samples = 0  # silence still to be read before the output

    @property
    def has_chunk(self) -> bool:
        """Return whether there are ``chunk_size`` samples to convert."""
        return len(self._input) >= self.config.chunk_size

    def write_input(self, audio: Samples) -> None:
        """Append captured sound, (n,); if the buffer is full, the oldest chunks are dropped and counted."""
        excess = len(self._input) + len(audio) - self._input.capacity_samples
        if excess > 0:
            # whole chunks, so that the next one begins where it would have begun and fills at the usual times
            dropped = -(-excess // self.config.chunk_size) * self.config.chunk_size
            audio = np.concatenate([self._input.pull(len(self._input)), audio])[dropped:]
            self._dropped_samples += dropped
            self._gap_samples += dropped
        self._input.push(audio)

    def read_chunk_for_processing(self) -> Samples | None:
        """The next ``chunk_size`` samples, or None while there are fewer; ``write_output`` must follow."""
        if not self.has_chunk:
            return None
        if self._gap_samples:
            self._append_silence(self._gap_samples)
            self._gap_samples = 0
        self._converting_samples = self.config.chunk_size
        return self._input.pull(self.config.chunk_size)

    def write_output(self, audio: Samples | None) -> None:
        """Append the converted chunk, (chunk_size,); None, after a failure, means silence."""
        if not self._converting_samples:
            return  # a new timeline began while the chunk was being converted
        if audio is None:
            self._append_silence(self._converting_samples)
        else:
            self._append(audio)
        self._converting_samples = 0

    def hold_back(self, samples: int) -> None:
        """Lengthen the delay by putting silence before all buffered output: time for a slow converter."""
        self.delay_samples += samples
        self._held_back_samples += samples

    def align(self, block_samples: int) -> bool:
        """Skip as much input as lets blocks of this size end where chunks do, with no click.

        False if that takes more input; what is skipped is counted as dropped, and shortens the delay.
        """
        skipped = len(self._input) % math.gcd(self.config.chunk_size, block_samples)
        if len(self._input) < 2 * skipped:
            return False
        before, after = self._input.pull(skipped), self._input.pull(len(self._input))
        self._input.push(crossfade(before, after))
        self._dropped_samples += skipped
        self.delay_samples -= skipped
        return True

    def shorten(self, samples: int, size: int) -> bool:
        """Shorten the delay by so many samples, if they are converted and not among the next ``size``.

        False if it is shortened by less; what is skipped is counted as dropped.
        """
        silence = min(samples, self._held_back_samples)
        self._held_back_samples -= silence
        ready = len(self._output) - max(0, size - self._held_back_samples)
        skipped = self._output.pull(max(0, min(samples - silence, ready)))
        self._note_dropped(skipped)
        self.delay_samples -= silence
        return silence + len(skipped) == samples

    def is_due(self, size: int) -> bool:
        """Return whether waiting for the converter would yield more of the next ``size`` samples."""
        return len(self._output) < min(size - self._held_back_samples, self._convertible_samples())

    def read_output(self, size: int) -> Samples:
        """The next ``size`` samples of the timeline, (size,); silence replaces what is missing."""
        unborn = max(0, size - self._held_back_samples - self._convertible_samples())
        self.delay_samples += unborn
        early = min(size, self._held_back_samples + unborn)
        self._held_back_samples -= early - unborn
        ready = self._output.pull(size - early)
        late = size - early - len(ready)
        self._overdue_samples += late
        return self._declick.process(np.concatenate([_silence(early), ready, _silence(late)]))

    def get_buffer_health(self) -> BufferHealth:
        """Samples buffered and samples lost."""
        return BufferHealth(
            input_samples=len(self._input),
            output_samples=len(self._output),
            dropped_samples=self._dropped_samples,
            late_samples=self._late_samples,
            overdue_samples=self._overdue_samples,
        )

    def _convertible_samples(self) -> int:
        """Samples by which the sound captured so far, converted or not, will fill the timeline ahead."""
        whole_chunks = len(self._input) // self.config.chunk_size * self.config.chunk_size
        gap = self._gap_samples if whole_chunks else 0
        coming = self._converting_samples + gap + whole_chunks - self._overdue_samples
        return len(self._output) + max(0, coming)

    def _append(self, audio: Samples) -> None:
        late = self._take_overdue(len(audio))
        self._late_samples += late
        self._note_dropped(self._output.push(audio[late:]))

    def _append_silence(self, samples: int) -> None:
        """Not counted as a loss: that is counted where the sound was lost."""
        self._note_dropped(self._output.push(_silence(samples - self._take_overdue(samples))))

    def _take_overdue(self, samples: int) -> int:
        """Number of the next samples that were already replaced with silence."""
        late = min(self._overdue_samples, samples)
        self._overdue_samples -= late
        return late

    def _note_dropped(self, output: Samples) -> None:
        """Count what was taken from the front of the output, silence apart: the delay is shorter by all of it."""
        if len(output):
            self._dropped_samples += int(np.count_nonzero(~np.isnan(output)))
            self.delay_samples -= len(output)
            self._declick.break_off()


def _silence(samples: int) -> Samples:
    return np.full(samples, np.nan, np.float32)

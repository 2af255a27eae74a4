"""The sound that waits: before the converter and after it, on one timeline counted in samples."""

from dataclasses import dataclass

import numpy as np

from rwc_pw.streaming.backend import SAMPLE_RATE_HZ, Samples
from rwc_pw.streaming.declick import Declick
from rwc_pw.streaming.fifo import SampleFifo


@dataclass(frozen=True)
class BufferConfig:
    """How much one conversion takes and how much may wait; each buffer holds at least two chunks."""

    chunk_size: int = 256
    """Samples of one conversion."""
    input_buffer_ms: float = 200.0
    output_buffer_ms: float = 400.0

    def __post_init__(self) -> None:
        if self.chunk_size < 1 or self.input_buffer_ms <= 0 or self.output_buffer_ms <= 0:
            raise ValueError("chunk_size, input_buffer_ms and output_buffer_ms must be positive")

    def capacity_samples(self, length_ms: float) -> int:
        """The length in samples, two chunks at least."""
        return max(round(length_ms * SAMPLE_RATE_HZ / 1000), 2 * self.chunk_size)


@dataclass(frozen=True)
class BufferHealth:
    """What waits now, and what has been lost since the start."""

    input_samples: int
    output_samples: int
    input_fill: float
    """0 (empty) to 1 (full)."""
    output_fill: float
    dropped_samples: int
    """Discarded because a buffer was full."""
    late_samples: int
    """Discarded because they were converted after silence had been heard in their place."""
    overdue_samples: int
    """Answered with silence and still to come: more than none means that the converter is behind now."""


class BufferManager:
    """Input and output buffer under one law: output sample ``p`` is input sample ``p - delay``, or silence.

    The delay grows only where the caller asks for sound that cannot have been converted yet (its
    chunk is not full), which happens in the first moments of a stream. From then on it is constant:
    what comes too late was answered with silence and is discarded and counted when it comes; what a
    full buffer drops leaves silence of the same length.
    """

    def __init__(self, config: BufferConfig) -> None:
        self.config = config
        self._input = SampleFifo(config.capacity_samples(config.input_buffer_ms))
        self._output = SampleFifo(config.capacity_samples(config.output_buffer_ms))
        self._dropped_samples = 0
        self._late_samples = 0
        self.reset()

    def reset(self) -> None:
        """Forget all sound and begin a new timeline; the counts of what was lost stay."""
        self._input.clear()
        self._output.clear()  # NaN stands for silence in it
        self._declick = Declick()
        self._gap_samples = 0  # dropped from the input, their silence not yet in the output
        self._converting_samples = 0
        self._overdue_samples = 0
        self._delay_samples = 0
        self._held_back_samples = 0  # silence, still to be read before the output

    @property
    def delay_samples(self) -> int:
        """How far the output lies behind the input."""
        return self._delay_samples

    def write_input(self, audio: Samples) -> None:
        """Append captured sound, (n,); the oldest chunks are dropped and counted when the buffer is full."""
        excess = len(self._input) + len(audio) - self._input.capacity_samples
        if excess > 0:
            # whole chunks: the next one begins where it would have begun, so blocks find it as full as ever
            dropped = -(-excess // self.config.chunk_size) * self.config.chunk_size
            audio = np.concatenate([self._input.pull(len(self._input)), audio])[dropped:]
            self._dropped_samples += dropped
            self._gap_samples += dropped
        self._input.push(audio)

    def read_chunk_for_processing(self) -> Samples | None:
        """The next ``chunk_size`` samples, or None while there are fewer; ``write_output`` must follow."""
        if len(self._input) < self.config.chunk_size:
            return None
        if self._gap_samples:
            self._append_silence(self._gap_samples)
            self._gap_samples = 0
        self._converting_samples = self.config.chunk_size
        return self._input.pull(self.config.chunk_size)

    def write_output(self, audio: Samples | None) -> None:
        """Append what the chunk under way became, (chunk_size,); None, after a failure, is silence."""
        if not self._converting_samples:
            return  # a new timeline was begun while the chunk was under way
        if audio is None:
            self._append_silence(self._converting_samples)
        else:
            self._append(audio)
        self._converting_samples = 0

    def hold_back(self, samples: int) -> None:
        """Lengthen the delay by silence before all that waits: room for a converter that takes long for its chunk."""
        self._delay_samples += samples
        self._held_back_samples += samples

    def is_due(self, size: int) -> bool:
        """Whether waiting for the converter would bring more of the next ``size`` samples."""
        return len(self._output) < min(size - self._held_back_samples, self._convertible_samples())

    def read_output(self, size: int) -> Samples:
        """The next ``size`` samples of the timeline, (size,); silence stands for what is not there."""
        unborn = max(0, size - self._held_back_samples - self._convertible_samples())
        self._delay_samples += unborn
        early = min(size, self._held_back_samples + unborn)
        self._held_back_samples -= early - unborn
        ready = self._output.pull(size - early)
        late = size - early - len(ready)
        self._overdue_samples += late
        return self._declick.process(np.concatenate([_silence(early), ready, _silence(late)]))

    def get_buffer_health(self) -> BufferHealth:
        """What waits and what was lost."""
        return BufferHealth(
            input_samples=len(self._input),
            output_samples=len(self._output),
            input_fill=len(self._input) / self._input.capacity_samples,
            output_fill=len(self._output) / self._output.capacity_samples,
            dropped_samples=self._dropped_samples,
            late_samples=self._late_samples,
            overdue_samples=self._overdue_samples,
        )

    def _convertible_samples(self) -> int:
        """How much of the timeline ahead the sound captured so far will fill, converted or not."""
        whole_chunks = len(self._input) // self.config.chunk_size * self.config.chunk_size
        gap = self._gap_samples if whole_chunks else 0
        coming = self._converting_samples + gap + whole_chunks - self._overdue_samples
        return len(self._output) + max(0, coming)

    def _append(self, audio: Samples) -> None:
        late = self._take_overdue(len(audio))
        self._late_samples += late
        self._push_output(audio[late:])

    def _append_silence(self, samples: int) -> None:
        """No loss of its own: what it stands for is counted where it was lost."""
        self._push_output(_silence(samples - self._take_overdue(samples)))

    def _take_overdue(self, samples: int) -> int:
        """How many of the next samples were answered with silence already."""
        late = min(self._overdue_samples, samples)
        self._overdue_samples -= late
        return late

    def _push_output(self, timeline: Samples) -> None:
        dropped = self._output.push(timeline)
        if len(dropped):
            self._dropped_samples += int(np.count_nonzero(~np.isnan(dropped)))
            self._delay_samples -= len(dropped)
            self._declick.break_off()


def _silence(samples: int) -> Samples:
    return np.full(samples, np.nan, np.float32)

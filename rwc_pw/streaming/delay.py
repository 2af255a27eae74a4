"""The delay between input and output: how long it has to be, and when it may change."""

from rwc_pw.streaming.buffers import BufferManager
from rwc_pw.streaming.conversion_times import ConversionTimes

WORTH_A_GAP = 20  # this fraction of a chunk is the least by which the delay grows during speech


class Delay:
    """Lets ``buffers`` hold back the output for as long as the converter takes; all under the pipeline's lock."""

    def __init__(self, buffers: BufferManager) -> None:
        self._buffers = buffers
        self._held_back_samples: int | None = None  # in this stream: time for the converter
        self._late_samples = 0  # when that was decided
        self._new_block: int | None = None  # to which the delay is yet to be shortened
        self._is_aligned = False

    def reset(self) -> None:
        """Begin a new stream."""
        self._held_back_samples = self._new_block = None

    def change_block(self, block_samples: int) -> None:
        """Let the delay be no longer than blocks of this size take, once one has come."""
        self._new_block, self._is_aligned = block_samples, False

    def align(self) -> None:
        """Look at the input that has come: whether the new size of blocks holds by now."""
        if self._new_block and not self._is_aligned:
            self._is_aligned = self._buffers.align(self._new_block)

    def lengthen(self, size: int, times: ConversionTimes, is_pause: bool) -> None:
        """Allow the converter its time when a stream begins, and more after sound has come too late.

        ``size`` samples are about to be read. The delay grows in the next pause, or at once if sound comes too late
        repeatedly.
        """
        late_samples = self._buffers.get_buffer_health().late_samples
        held_back = self._held_back_samples
        if held_back is not None:
            held_back = max(held_back, self._buffers.delay_samples)  # also for chunks that fill slowly
        least_longer = 0
        if held_back is not None:
            if late_samples == self._late_samples:
                return
            if not is_pause:  # somebody is speaking: a gap would be heard
                if not times.often_exceed(held_back, size):
                    return
                least_longer = self._buffers.config.chunk_size // WORTH_A_GAP
        wanted = max(times.delay_samples(size), held_back or 0)
        longer = wanted - (held_back or 0)
        if longer < least_longer:
            return
        self._buffers.hold_back(longer)
        self._held_back_samples, self._late_samples = wanted, late_samples

    def surplus(self, times: ConversionTimes) -> int:
        """Excess of the delay over what aligned blocks of the new size take, in samples; it never shrinks."""
        if not (self._new_block and self._is_aligned):
            return 0
        self._held_back_samples = wanted = times.delay_samples(self._new_block)
        surplus = self._buffers.delay_samples - wanted
        self._buffers.hold_back(max(0, -surplus))
        if surplus <= 0:
            self._new_block = None
        return max(0, surplus)

    def shorten(self, surplus: int, size: int) -> None:
        """Leave out ``surplus`` samples before the next ``size``, if they have come."""
        if surplus and self._buffers.shorten(surplus, size):
            self._new_block = None

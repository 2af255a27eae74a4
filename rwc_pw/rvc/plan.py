"""The stretch of sound that each network sees, in frames of 10 ms."""

from dataclasses import dataclass

CONTENT_RATE_HZ = 16_000
CONTENT_FRAME_SAMPLES = CONTENT_RATE_HZ // 100
RECEPTIVE_SAMPLES = 400  # of one ContentVec feature; there is one every two frames


@dataclass(frozen=True)
class Plan:
    """Windows of one block, as each network sees them.

    Block and past are even, because one ContentVec feature covers two frames.
    """

    block_frames: int
    look_ahead_frames: int = 1
    """Look-ahead of the flow and the generator. These frames are decoded again with the next block;
    tests/benchmarks/README.md shows what they gain."""
    past_frames: int = 30
    """Left context of ContentVec, the pitch detector and the text encoder, before the block."""

    @property
    def window_frames(self) -> int:
        """The input of ContentVec and the pitch detector."""
        return self.past_frames + self.block_frames

    @property
    def window_samples(self) -> int:
        return self.window_frames * CONTENT_FRAME_SAMPLES

    @property
    def known_frames(self) -> int:
        """Number of frames of the window that have features: the last frames lack the sound that follows them."""
        return 2 * ((self.window_samples - RECEPTIVE_SAMPLES) // (2 * CONTENT_FRAME_SAMPLES) + 1)

    @property
    def new_frames(self) -> slice:
        """The decoded frames within the window."""
        return slice(self.known_frames - self.decoded_frames, self.known_frames)

    @property
    def new_content(self) -> slice:
        """The ContentVec features of the decoded frames."""
        return slice((self.known_frames - self.decoded_frames) // 2, self.known_frames // 2)

    @property
    def decoded_frames(self) -> int:
        """The block's frames and the look-ahead after it."""
        return self.block_frames + self.look_ahead_frames

    @property
    def delay_frames(self) -> int:
        """Delay of the output's end behind the input's end; includes the 20 ms that ContentVec lacks."""
        return self.look_ahead_frames + self.window_frames - self.known_frames

    @property
    def text_frames(self) -> int:
        return self.past_frames + self.decoded_frames

"""Which stretch of the sound each part of the network sees, in frames of 10 ms."""

from dataclasses import dataclass

CONTENT_RATE_HZ = 16_000
CONTENT_FRAME_SAMPLES = CONTENT_RATE_HZ // 100
RECEPTIVE_SAMPLES = 400  # of one of ContentVec's features, which come every two frames


@dataclass(frozen=True)
class Plan:
    """Block and past are even: one of ContentVec's features is two frames."""

    block_frames: int
    provisional_frames: int = 1
    """What flow and generator look ahead to, and what is decoded again with the next block: what it gains is in
    tests/benchmarks/README.md."""
    past_frames: int = 30
    """What ContentVec, the pitch detector and the text encoder know of before the block."""

    @property
    def window_frames(self) -> int:
        """What ContentVec and the pitch detector hear."""
        return self.past_frames + self.block_frames

    @property
    def window_samples(self) -> int:
        return self.window_frames * CONTENT_FRAME_SAMPLES

    @property
    def known_frames(self) -> int:
        """How many frames of the window have features: the last ones lack the sound that follows."""
        return 2 * ((self.window_samples - RECEPTIVE_SAMPLES) // (2 * CONTENT_FRAME_SAMPLES) + 1)

    @property
    def new_frames(self) -> slice:
        """The decoded frames, among those of the window."""
        return slice(self.known_frames - self.decoded_frames, self.known_frames)

    @property
    def new_content(self) -> slice:
        """Those of ContentVec's features that the decoded frames have."""
        return slice((self.known_frames - self.decoded_frames) // 2, self.known_frames // 2)

    @property
    def decoded_frames(self) -> int:
        """The block, and those after it that are provisional."""
        return self.block_frames + self.provisional_frames

    @property
    def look_ahead_frames(self) -> int:
        """How far the end of what is spoken lies behind the end of what was heard: ContentVec lacks 20 ms, too."""
        return self.provisional_frames + self.window_frames - self.known_frames

    @property
    def text_frames(self) -> int:
        return self.past_frames + self.decoded_frames

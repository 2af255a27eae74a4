"""A live voice: blocks of sound in at 16 kHz, the same duration out at the voice's rate.

The noise of a 10 ms frame is drawn from the frame's number, so that it does not depend on how the sound is cut.
"""

import numpy as np

from rwc_pw.rvc.plan import CONTENT_FRAME_SAMPLES, Plan
from rwc_pw.rvc.step import Array, Step, StepNoise, StepSettings


class RvcStream:
    """Converts blocks of ``plan.block_frames``; the output lies ``plan.delay_frames`` behind the input."""

    def __init__(self, step: Step, plan: Plan) -> None:
        self.settings = StepSettings()
        self._step = step
        self._plan = plan
        self._block_samples = plan.block_frames * step.samples_per_frame
        self.reset(np.zeros(0, np.float32))

    def reset(self, before: Array) -> None:
        """Start again; ``before`` is the preceding input, without any output."""
        silence = np.zeros(self._plan.window_samples, np.float32)
        self._window = np.concatenate([silence, before])[-self._plan.window_samples :]
        self._frame = 0
        self._step.reset()
        self.foreseen = np.zeros(self._step.samples_per_frame, np.float32)
        """The next block's first frame, as predicted by the last one."""

    def convert(self, sound: Array) -> Array:
        """(block_frames · 160,) to (block_frames · samples_per_frame,).

        Anything in ``sound`` before the block replaces the end of the earlier input.
        """
        known = len(self._window) - (len(sound) - self._plan.block_frames * CONTENT_FRAME_SAMPLES)
        self._window = np.concatenate([self._window[:known], sound])[-self._plan.window_samples :]
        if not self._window.any():
            output = self.foreseen * _falling(len(self.foreseen))
            if self._frame:  # otherwise the stream has just been reset
                self.reset(np.zeros(0, np.float32))
            return np.concatenate([output, np.zeros(self._block_samples - len(output), np.float32)])
        noise = StepNoise(self._noise(self._step.channels, kind=0), self._noise(self._step.samples_per_frame, kind=1))
        output = self._step(self._window, noise, self.settings)
        self._frame += self._plan.block_frames
        return self._joined(output)

    def _joined(self, output: Array) -> Array:
        """The block, crossfaded from the last block's prediction of its first frame."""
        block, fade = output[: self._block_samples].copy(), len(self.foreseen)
        falling = _falling(fade)
        block[:fade] = self.foreseen * falling + block[:fade] * (1 - falling)
        self.foreseen = output[self._block_samples :][:fade].copy()
        return block

    def _noise(self, width: int, kind: int) -> Array:
        """Normal noise for each frame from the block's first on, (decoded_frames, width); determined by its number."""
        numbers = range(self._frame, self._frame + self._plan.decoded_frames)
        keys = ([kind, number] for number in numbers)
        return np.stack(
            [np.random.Generator(np.random.Philox(key=key)).standard_normal(width, np.float32) for key in keys]
        )


def _falling(count: int) -> Array:
    return np.linspace(1, 0, count, endpoint=False, dtype=np.float32)

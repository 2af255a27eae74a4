"""The generator: the flow's frames and a source become sound (NSF-HiFiGAN; Kong et al., 2020; Wang et al., 2019)."""

import math

from rwc_pw.rvc.network.carry import Carry, Conv, Upsample, Weights
from rwc_pw.rvc.network.flow import Speaker, condition
from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.voices.architecture import Architecture

SLOPE = 0.1
LAST_SLOPE = 0.01


class Generator:
    """Turns frames, (1, inter, n), into sound, (1, 1, n · samples per frame); sees 9 to 13 frames ahead and back."""

    def __init__(self, operations: Operations, weights: Weights, network: Architecture, speaker: Speaker) -> None:
        self._operations = operations
        self._pre = Conv(operations, weights, "dec.conv_pre")
        self._condition = operations.constant(condition(weights, "dec.cond", speaker))
        self._stages = [_Stage(operations, weights, network, number) for number in range(len(network.upsample_rates))]
        self._post = Conv(operations, weights, "dec.conv_post", per_frame=math.prod(network.upsample_rates))

    def __call__(self, frames: Value, source: Value | None, carry: Carry) -> Value:
        """``source``, (1, 1, n · samples per frame), is given if the voice follows the pitch."""
        ops = self._operations
        block = self._pre(frames, carry) + self._condition
        for stage in self._stages:
            block = stage(ops.leaky_relu(block, SLOPE), source, carry)
        return ops.tanh(self._post(ops.leaky_relu(block, LAST_SLOPE), carry))


class _Stage:
    """Upsamples to fewer channels, adds the source, and averages the residual blocks."""

    def __init__(self, operations: Operations, weights: Weights, network: Architecture, number: int) -> None:
        rates = network.upsample_rates
        self._up = Upsample(operations, weights, f"dec.ups.{number}", rates[number], math.prod(rates[:number]))
        per_frame, samples = math.prod(rates[: number + 1]), math.prod(rates[number + 1 :])
        self._operations = operations
        source = f"dec.noise_convs.{number}"
        self._source = _Source(operations, weights, source, samples, per_frame) if network.has_pitch else None
        first = number * len(network.resblock_kernels)
        self._resblocks = [
            _ResBlock(operations, weights, f"dec.resblocks.{first + at}", dilations, per_frame)
            for at, dilations in enumerate(network.resblock_dilations)
        ]

    def __call__(self, block: Value, source: Value | None, carry: Carry) -> Value:
        block = self._up(block, carry)
        if self._source is not None:
            block = block + self._source(source, carry)
        total = self._resblocks[0](block, carry)
        for resblock in self._resblocks[1:]:
            total = total + resblock(block, carry)
        return self._operations.scaled(total, 1 / len(self._resblocks))


class _Source:
    """Downsamples the source by ``samples``, so that it has ``per_frame`` values per frame, as this stage has."""

    def __init__(self, operations: Operations, weights: Weights, name: str, samples: int, per_frame: int) -> None:
        self._operations = operations
        self._weight, self._bias = (operations.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        self._samples = samples
        self._per_frame = samples * per_frame
        self._padding = (weights[f"{name}.weight"].shape[-1] - samples) // 2

    def __call__(self, source: Value, carry: Carry) -> Value:
        ops = self._operations
        joined = ops.padded(carry.join(source, self._padding, self._per_frame), 2, 0, self._padding)
        return ops.conv1d(joined, self._weight, self._bias, stride=self._samples)


class _ResBlock:
    def __init__(
        self, operations: Operations, weights: Weights, name: str, dilations: tuple[int, ...], per_frame: int
    ) -> None:
        self._operations = operations
        self._first, self._second = (
            [Conv(operations, weights, f"{name}.{convs}.{at}", by, per_frame) for at, by in enumerate(dilated)]
            for convs, dilated in (("convs1", dilations), ("convs2", [1] * len(dilations)))
        )

    def __call__(self, block: Value, carry: Carry) -> Value:
        ops = self._operations
        for first, second in zip(self._first, self._second, strict=True):
            changed = ops.leaky_relu(first(ops.leaky_relu(block, SLOPE), carry), SLOPE)
            block = block + second(changed, carry)
        return block

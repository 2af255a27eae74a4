"""The choices of a microphone's channel."""

AUTO = "auto"
"""The one that carries the voice."""
MIX = "mix"
"""All of them, at equal weight."""
MOST_CHANNELS = 64
"""PipeWire's limit up to 1.4; what a microphone has beyond them is not recorded."""


CHANNELS = AUTO, MIX, *map(str, range(1, MOST_CHANNELS + 1))
"""All that can be asked for; channels are numbered from 1."""


def channels_of(asked: str) -> range:
    """The channels that have to be recorded for it, from 0."""
    return range(MOST_CHANNELS) if asked in (AUTO, MIX) else range(int(asked) - 1, int(asked))

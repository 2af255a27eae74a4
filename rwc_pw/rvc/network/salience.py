"""The interface of the networks that rate the salience of pitches."""

from typing import Any, ClassVar, Protocol

from rwc_pw.rvc.network.operations import Operations, Value
from rwc_pw.rvc.pitch import SalienceFacts


class SalienceNetwork(Protocol):
    """Magnitudes of ``SPECTRUM_SAMPLES`` under a Hann window, one every 10 ms, (1, frames, 513), to salience.

    (1, frames, ``PITCHES``).
    """

    facts: ClassVar[SalienceFacts]

    def __init__(self, operations: Operations, stored: Any) -> None:
        """``stored`` is the content of the file of its weights."""

    def __call__(self, magnitudes: Value) -> Value: ...

"""Pauses between attempts."""


class Backoff:
    """Each pause is twice as long as the one before, up to the longest (exponential backoff)."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = self._pause_s = first_s
        self._longest_s = longest_s

    def next_s(self) -> float:
        """The pause before the next attempt."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, self._longest_s)
        return pause_s

    def reset(self) -> None:
        """An attempt has succeeded: begin again with the first pause."""
        self._pause_s = self._first_s

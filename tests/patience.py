"""How long tests wait for what must happen."""

import os
import select

PATIENCE_S = 120.0
"""Far more than ten times what anything awaited takes on a quiet machine: only a failing test waits that long."""


def wait_for_end(descriptor: int) -> None:
    """Wait until the process of a pidfd has ended, and close that."""
    assert select.select([descriptor], [], [], PATIENCE_S)[0]
    os.close(descriptor)

"""Real-time priority for what carries sound."""

import contextlib
import os

REAL_TIME_PRIORITY = 10  # below PipeWire's own data threads (88), above everything that can wait


def raise_priority(pid: int = 0) -> None:
    """Ask for it for the calling thread, or the main thread of process ``pid``.

    Where the user may not (no ``rtprio`` limit), sound is carried at ordinary priority.
    """
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME_PRIORITY))

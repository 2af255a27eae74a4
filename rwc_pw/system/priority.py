"""Real-time priority for whatever carries sound."""

import os
import threading

REAL_TIME_PRIORITY = 10  # below PipeWire's own data threads (88), above everything that can wait


def raise_priority(pid: int = 0) -> bool:
    """Request it for the calling thread, or the main thread of process ``pid``; return whether it was granted.

    If the user may not have it (no ``rtprio`` limit), sound is carried at ordinary priority.
    """
    try:
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME_PRIORITY))
    except (PermissionError, ProcessLookupError):
        return False
    return True


def may_raise_priority() -> bool:
    """Return whether it would be granted to this user, tried in a separate thread."""
    granted: list[bool] = []
    trial = threading.Thread(target=lambda: granted.append(raise_priority()))
    trial.start()
    trial.join()
    return granted == [True]

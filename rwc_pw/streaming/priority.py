"""Real-time priority for what carries sound."""

import os
import threading

REAL_TIME_PRIORITY = 10  # below PipeWire's own data threads (88), above everything that can wait


def raise_priority(pid: int = 0) -> bool:
    """Ask for it for the calling thread, or the main thread of process ``pid``; whether it was granted.

    Where the user may not (no ``rtprio`` limit), sound is carried at ordinary priority.
    """
    try:
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME_PRIORITY))
    except (PermissionError, ProcessLookupError):
        return False
    return True


def may_raise_priority() -> bool:
    """Whether it would be granted to this user, tried in a thread of its own."""
    granted: list[bool] = []
    trial = threading.Thread(target=lambda: granted.append(raise_priority()))
    trial.start()
    trial.join()
    return granted == [True]

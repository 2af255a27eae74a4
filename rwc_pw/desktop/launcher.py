"""The command line that starts this very program."""

import sys


def command() -> list[str]:
    """An absolute command line that needs no PATH.

    ``-P``: sessions start us in the home folder, and a file named like a module there must not replace that module.
    """
    return [sys.executable, "-P", "-m", "rwc_pw"]

"""The command line that starts this program."""

import sys


def command() -> list[str]:
    """An absolute command line that needs no PATH.

    ``-P``, because sessions start us in the home folder, where a file named like a module must not shadow that module.
    """
    return [sys.executable, "-P", "-m", "rwc_pw"]

"""Ties a child process of ours to its parent, from within the child."""

import os
import sys
import threading


def end_with_standard_input() -> None:
    """End this process as soon as its standard input closes: with its parent, however that ends."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)  # the main thread may be importing or computing

    threading.Thread(target=wait, daemon=True).start()

"""Progress bars on standard error, with rate and time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rwc_pw.cli.printing import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TextColumn


@contextmanager
def share_done(what: str) -> Iterator[Callable[[float], None]]:
    """A bar; the function takes the fraction done, 0 to 1."""
    from rich.progress import Progress, TimeRemainingColumn

    columns = [_what(), *Progress.get_default_columns()[1:-1], TimeRemainingColumn()]
    with Progress(*columns, console=_console()) as bar:
        task = bar.add_task(one_line(what), total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextmanager
def bytes_done() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar for each download; the function takes its name, the bytes done and the total."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    tasks: dict[str, TaskID] = {}
    columns = (
        _what(),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console()) as bar:

        def update(what: str, done: int, whole: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(one_line(what), total=whole)
            bar.update(tasks[what], completed=done, total=whole)

        yield update


def _what() -> "TextColumn":
    """The column with what is done: a name, and not rich's markup."""
    from rich.progress import TextColumn

    return TextColumn("{task.description}", markup=False)


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)

"""Progress of long commands, on standard error: a bar, or lines where there is no terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from medvision.cli.printable import printable

Move = Callable[[int, int, str], None]
"""Told how far a command is: (done, in all, words beside)."""

LINE_EVERY_S = 30.0
"""Into a log file, a line at most so often."""


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Move]:
    """A bar, or lines for a log, and the function that moves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        said_s = time.monotonic()

        def say(done: int, total: int, words: str) -> None:
            nonlocal said_s
            if time.monotonic() - said_s >= LINE_EVERY_S:
                said_s = time.monotonic()
                beside = f", {words}" if words else ""
                line = printable(f"{what}: {done} of {total} {unit}{beside}")
                console.print(line, highlight=False, markup=False)

        yield say
        return
    counts = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    beside = TextColumn("{task.description}", markup=False)  # a name may look like markup
    with Progress(*counts, *times, beside, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def move(done: int, total: int, words: str) -> None:
            progress.update(task, completed=done, total=total, description=printable(words))

        yield move


def in_megabytes(move: Move) -> Move:
    """A function that is told bytes and moves a bar of megabytes."""
    return lambda done, total, words: move(done // 10**6, total // 10**6, words)

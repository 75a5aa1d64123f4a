"""What the library logs, on standard error while a command runs."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from medvision.cli.printable import printable

_LINES = "\n\t"
"""Kept in what is logged: tracebacks have lines."""


@contextmanager
def log_to_stderr(*, verbose: bool) -> Iterator[None]:
    """Show our warnings and other libraries' errors; if verbose, what is being done as well.

    After the command all is as it was: `main` may be called by a program with a log of its own.
    """
    ours, others = (logging.INFO,) * 2 if verbose else (logging.WARNING, logging.ERROR)
    levels = {
        "": others,
        "medvision": ours,
        # They tell the address of each request, which may hold a password.
        "httpx": logging.ERROR,
        "httpx2": logging.ERROR,
    }
    former = {name: logging.getLogger(name).level for name in levels}
    handler = _ToStderr()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        for name, level in former.items():
            logging.getLogger(name).setLevel(level)


class _ToStderr(logging.Handler):
    """Writes to what is standard error at that moment.

    A progress bar puts a stream of its own there, which prints lines above the bar; a
    `StreamHandler` would go on writing through the bar to the stream it was made with.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{printable(self.format(record), keep=_LINES)}\n")
        except OSError:
            self.handleError(record)

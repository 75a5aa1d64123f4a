"""What tests ask of files, whatever the clock of the machine and of its file system."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONG_AGO_NS = 10**9


@contextmanager
def nothing_written(*paths: Path) -> Iterator[None]:
    """Fails if one of the files is written meanwhile.

    Times of writing alone do not tell: those of two writes may be the same where the file system
    counts in steps. So the files are made old first.
    """
    for path in paths:
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    yield
    written = [path for path in paths if path.stat().st_mtime_ns != LONG_AGO_NS]
    assert not written

"""Where a foreign reader's exceptions end: one file is lost, and its name is told."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medvision.errors import MedVisionError
from medvision.volumes.errors import (
    MissingFileError,
    OutOfMemoryError,
    ReaderFailedError,
    UnreadableFileError,
)

logger = logging.getLogger(__name__)

_LONGEST_REASON = 300
"""Characters: some libraries put the whole file into their message."""


@contextmanager
def names_file(path: Path) -> Iterator[None]:
    """Turns whatever reading a file raises into an item error that names it.

    Libraries raise anything on odd bytes (ValueError, TypeError, RecursionError, struct.error), and
    a build must lose one case and not its night. A mistake of ours would look the same, so what
    nobody expected is logged with its traceback, which `-v` shows.

    Args:
        path: The file or folder that is read.

    Raises:
        ItemError: The reader's own, or one for what it did not expect.

    Example:
        >>> import struct
        >>> try:
        ...     with names_file(Path("a.nrrd")):
        ...         raise struct.error("unpack requires 4 bytes")
        ... except ReaderFailedError as error:
        ...     print(str(error).partition(";")[0])
        a.nrrd: expected a readable file, its reader stopped with error: unpack requires 4 bytes
    """
    try:
        yield
    except MedVisionError:
        raise
    except FileNotFoundError as error:  # deleted meanwhile, or a link that leads nowhere
        msg = f"{error.filename or path}: no such file; check the path"
        raise MissingFileError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); check access and the disk"
        raise UnreadableFileError(msg) from error
    except MemoryError as error:
        msg = f"{path}: its voxels do not fit into memory ({error}); free some, run again"
        raise OutOfMemoryError(msg) from error
    except Exception as error:
        logger.info("%s: not expected of a reader", path, exc_info=True)
        found = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]
        msg = (
            f"{path}: expected a readable file, its reader stopped with {found}; open it with the "
            "program that wrote it and save it anew (-v shows where the reader stopped)"
        )
        raise ReaderFailedError(msg) from error

"""What ends a command from outside: signals, and what the system cannot do; each in one line."""

import errno
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FREE_SPACE = "free some space and run it again: what was finished is kept"
NO_RIGHT = "give a place that may be read and written"

ADVICE = {
    errno.ENOSPC: FREE_SPACE,
    errno.EDQUOT: FREE_SPACE,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f) and run it again",
    errno.EROFS: NO_RIGHT,
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.EISDIR: "expected a file, found a folder; move it away and run it again",
    errno.ENOTDIR: "expected a folder, found a file; give another place",
    errno.EEXIST: "expected a folder, found a file; give another place",
    errno.ENOENT: "check that it is there",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run it again",
    errno.EIO: "check the disk and run it again",
}
"""What to do about an error of the system, by its number."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came; handled where Ctrl-C is."""


def exit_status(*, is_term: bool) -> int:
    """128 and the signal's number, as shells count: of SIGTERM, or of Ctrl-C."""
    return 128 + (signal.SIGTERM if is_term else signal.SIGINT)


def system_words(error: OSError) -> str:
    """What the system could not do, with which file, and what to do about it."""
    path = error.filename2 or error.filename
    # A draft says nothing to the user: the file that it was to become does.
    where = re.sub(r"/\.([^/]+)\.\d+$", r"/\1", str(path)) + ": " if path else ""
    words = (error.strerror or str(error)).splitlines()[0]
    return f"{where}{words}; {ADVICE.get(error.errno or 0, 'run it again')}"


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that nothing is left half done."""
    is_free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if threading.current_thread() is not threading.main_thread() or not is_free:
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

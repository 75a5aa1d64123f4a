"""Cases measured in a process beside this one, where a reader can be stopped.

Foreign files are read by libraries that may hang, take all memory or die on what somebody put into
a file. Here that costs one case: the process is ended, the case gets a reason, and the next one a
new process. One warm process serves all cases, so nothing is paid for a file but the message.
"""

import atexit
import contextlib
import copyreg
import ctypes
import logging
import math
import multiprocessing
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import medvision
from medvision.errors import ItemError, UsageError
from medvision.table.annotate_case import AnnotatedCase, AnnotateOptions
from medvision.table.cases import CaseSource
from medvision.table.inputs import case_inputs
from medvision.volumes import suffixes

logger = logging.getLogger(__name__)

START_S = 300.0
"""For a new process to have imported what it needs and compiled its loops, on a slow machine."""

CASE_S, CASE_S_PER_MB = 60.0, 2.0
"""Time for a case, and for each MB of its files: ten times what the slowest readers take."""

MEMORY_BYTES = 2 << 30
"""Memory for a case of no size: threads, compiled loops, tables."""

MEMORY_PER_BYTE, MEMORY_PER_VOXEL = 100, 100
"""Memory for each byte of its files, and for each voxel that their headers state. CT packs to a
third and is held as float64 in places: 24 bytes for each; structures of a mask are held apart."""

MOST_VOXELS_PER_BYTE = 8 * 1032
"""Of deflate at its best, a bit each: what a header states beyond that is not in the file."""

SERVE = "from medvision.table.case_worker import serve"
"""What the other process begins with."""

_PR_SET_PDEATHSIG = 1


def read_only(table: dict[Any, Any]) -> "MappingProxyType[Any, Any]":
    """A table that nobody can change."""
    return MappingProxyType(table)


# Such tables go over the line as what they show; they are not made by their type's own name.
copyreg.pickle(MappingProxyType, lambda table: (read_only, (dict(table),)))


class ReaderTimeoutError(ItemError):
    """Reading and measuring a case took longer than any honest file of its size."""

    reason = "reader_timeout"


class ReaderDiedError(ItemError):
    """The process that read a case ended: its library failed beyond any error message."""

    reason = "reader_died"
    was_killed = False
    """Whether somebody else ended it (SIGKILL)."""


def annotate_case(
    case: CaseSource, options: AnnotateOptions, digests: Mapping[Path, str], derived: Path
) -> AnnotatedCase:
    """Read one case and measure it, as `derived.annotate_any` does, in another process.

    Args:
        case: Files and names.
        options: Dataset-wide choices.
        digests: SHA-256 of each of the case's files.
        derived: Where files go that are made of them.

    Raises:
        ReaderTimeoutError: It took too long.
        ReaderDiedError: The process ended.
        ItemError: The case cannot be used; the class tells why.
    """
    with _LOCK:
        own = {path: digests[path] for path in case_inputs(case) if path in digests}
        try:
            return _annotated(case, options, own, derived)
        except BaseException as error:
            # An error of the case leaves the process as good as new; all else may not.
            if not isinstance(error, ItemError) or isinstance(
                error, ReaderTimeoutError | ReaderDiedError
            ):
                stop_worker()
            raise


def _annotated(
    case: CaseSource, options: AnnotateOptions, digests: Mapping[Path, str], derived: Path
) -> AnnotatedCase:
    try:
        return warm_worker().annotated(case, options, digests, derived)
    except ReaderDiedError as error:
        if not error.was_killed:
            raise
    # By the system for want of memory, which need not be this case's. A second time it would be.
    stop_worker()
    return warm_worker().annotated(case, options, digests, derived)


_LOCK = threading.Lock()
_WARM: "list[_Worker]" = []


def warm_worker() -> "_Worker":
    """The process that measures cases; if there is none it is started, and warms up meanwhile."""
    if _WARM and not _WARM[0].is_alive():
        stop_worker()
    if not _WARM:
        _WARM.append(_Worker())
    return _WARM[0]


@atexit.register
def stop_worker() -> None:
    """End the process, if there is one."""
    while _WARM:
        _WARM.pop().stop()


class _Worker:
    """A process beside this one, and the line to it."""

    def __init__(self) -> None:
        self._line, theirs = multiprocessing.Pipe()
        # Not by `multiprocessing`: that would run the user's script once more, or copy a process
        # that has threads.
        package = str(Path(medvision.__file__).parent.parent)
        # Linux tells of a parent's death when the thread that started us ends: only the main one's
        # end is the parent's.
        by_main = threading.current_thread() is threading.main_thread()
        code = f"import sys; sys.path.append({package!r})\n{SERVE}; "
        code += f"serve({theirs.fileno()}, by_main={by_main})"
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._is_new = True

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process at once; it holds nothing that would be lost."""
        self._line.close()
        self._process.kill()
        self._process.wait()

    def annotated(
        self,
        case: CaseSource,
        options: AnnotateOptions,
        digests: Mapping[Path, str],
        derived: Path,
    ) -> AnnotatedCase:
        files = [
            file for path in digests for file in (path.rglob("*") if path.is_dir() else [path])
        ]
        n_bytes = sum(file.stat().st_size for file in files if file.is_file())
        limit_s = CASE_S + CASE_S_PER_MB * n_bytes / 1e6
        level = logging.getLogger("medvision").getEffectiveLevel()
        # It was started some time ago, perhaps from elsewhere.
        place = (str(Path.cwd()), dict(os.environ))
        limits = (MEMORY_BYTES, n_bytes)
        task = ((case, options, dict(digests), derived), limits, level, place)
        try:
            self._line.send(task)
            if self._is_new and self._line.poll(START_S):
                self._line.recv()  # it is ready
                self._is_new = False
            # On a machine with more to do than processors everything takes so much longer.
            crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
            if not self._line.poll(limit_s * crowd):
                msg = (
                    f"{case.case_id}: expected to be read within {limit_s:.0f} s, was not; the "
                    f"reader was stopped: check {', '.join(map(str, digests))}"
                )
                raise ReaderTimeoutError(msg)
            done, records = self._line.recv()
        except (EOFError, ConnectionError, pickle.UnpicklingError) as error:
            self._raise_died(case, digests, error)
        for record in records:
            logging.getLogger(record.name).handle(record)
        if isinstance(done, BaseException):
            raise done
        annotated: AnnotatedCase = done
        return annotated

    def _raise_died(
        self, case: CaseSource, digests: Mapping[Path, str], error: Exception
    ) -> NoReturn:
        self._line.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        status = self._process.poll()
        how = f"status {status}" if status is None or status >= 0 else signal.Signals(-status).name
        files = ", ".join(str(path) for path in digests)
        msg = (
            f"{case.case_id}: expected to be read, found that the reader ended ({how}); one of its "
            f"files breaks the library that reads it, or memory ran out: check {files}"
        )
        died = ReaderDiedError(msg)
        died.was_killed = status == -signal.SIGKILL
        raise died from error


# What follows runs in the other process.


def serve(handle: int, *, by_main: bool) -> None:
    """Measure the cases that come over a line, until it is closed.

    Args:
        handle: Of the line.
        by_main: Whether the main thread of the other process started this one.
    """
    # The terminal sends Ctrl-C to both: the other process decides, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that is killed cannot end us: the system does, or we look for ourselves.
    if sys.platform == "linux" and by_main:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    import numpy as np

    from medvision.annotate.regions import region_table
    from medvision.table import derived as here

    # Loops are compiled, or read from where that was kept, before time counts.
    region_table(np.ones((3, 3, 3), np.uint8), (1.0, 1.0, 1.0), (1,))
    base_bytes, most = 1 << 30, resource.RLIM_INFINITY
    with contextlib.suppress(OSError, ValueError, StopIteration):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        base_bytes = 1024 * int(next(x for x in lines if x.startswith("VmData")).split()[1])
    with contextlib.suppress(EOFError, ConnectionError):
        line = Connection(handle)
        line.send("ready")
        while True:
            task, (memory_bytes, n_bytes), level, (folder, environment) = line.recv()
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            with _records(level) as records:
                try:
                    _limit_memory(base_bytes + memory_bytes, most)
                    justified = justified_bytes(task[2], n_bytes)
                    _limit_memory(base_bytes + memory_bytes + justified, most)
                    done: Any = here.annotate_any(*task)
                except Exception as error:  # noqa: BLE001 - raised again on the other side
                    done = _sendable(error)
            line.send((done, records))


def justified_bytes(files: Iterable[Path], n_bytes: int) -> int:
    """Memory that files justify, by their size and by the headers of those that have one.

    Args:
        files: Of a case. Folders count by their size alone: to read the headers of all slices
            takes as long as to read the slices, and DICOM packs little.
        n_bytes: Their size.
    """
    from medvision.volumes.read import read_geometry

    n_voxels = 0
    for path in files:
        if path.is_file() and not path.name.lower().endswith(suffixes.DICOM):
            # A picture without a size of its pixels is one all the same. What cannot be read is
            # told when it is read.
            for spacing_mm in (None, (1.0, 1.0)):
                with contextlib.suppress(ItemError, UsageError):
                    n_voxels += math.prod(read_geometry(path, spacing_mm=spacing_mm).shape)
                    break
    n_voxels = min(n_voxels, MOST_VOXELS_PER_BYTE * n_bytes)
    return MEMORY_PER_BYTE * n_bytes + MEMORY_PER_VOXEL * n_voxels


def _limit_memory(limit: int, most: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # a system without such limits
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@contextlib.contextmanager
def _records(level: int) -> Any:
    """What is logged meanwhile, as records that can be sent."""
    records: list[logging.LogRecord] = []

    def keep(record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        record.msg, record.args, record.exc_info = message, None, None
        records.append(record)

    handler = logging.Handler()
    handler.emit = keep  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("medvision").setLevel(level)
    try:
        yield records
    finally:
        root.removeHandler(handler)


def _sendable(error: Exception) -> Exception:
    """The error if it can be sent, with where it came from for the log."""
    place = "".join(traceback.format_exception(error))
    try:
        sent = pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own
    except Exception:  # noqa: BLE001 - whatever a class of a library does when it is copied
        return RuntimeError(f"{type(error).__name__}: {error}\n{place}")
    if not isinstance(error, ItemError):
        sent.add_note(place)
    return sent if isinstance(sent, Exception) else RuntimeError(place)

"""Folders that are ours: names stay inside, one process at a time, files whole or not at all."""

import contextlib
import fcntl
import glob
import hashlib
import logging
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from medvision.errors import ItemError, UsageError

logger = logging.getLogger(__name__)

_LONGEST_NAME = 200
"""Bytes of a file name: most file systems take 255, and we add to them."""


class UnsafeNameError(ItemError, UsageError):
    """A name from a file or a server that is no name of a file or folder."""

    reason = "unsafe_name"


class FolderInUseError(UsageError):
    """Another process is at work in a folder."""


def checked_name(name: str, what: str) -> str:
    """A name that is one part of a path and nothing else.

    Whatever comes from a file or a server goes through here before it is part of a path.

    Args:
        name: The name.
        what: What it names, for the message.

    Raises:
        UnsafeNameError: It is empty, too long, starts with a dot or a dash, or holds separators,
            control characters or what Windows does not allow.

    Example:
        >>> checked_name("01", "task_ID")
        '01'
    """
    is_plain = re.fullmatch(r"[^\s.\-/\\:*?\"<>|\x00-\x1f\x7f][^/\\:*?\"<>|\x00-\x1f\x7f]*", name)
    if not is_plain or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        msg = (
            f"{what}: expected a name that can be part of a path (no separators, no leading dot), "
            f"found {name[:80]!r}"
        )
        raise UnsafeNameError(msg)
    return name


@contextlib.contextmanager
def only_process(folder: Path, doing: str, *, waits: bool = False) -> Iterator[None]:
    """Hold a folder for this process; made if it is not there.

    What killed processes left half written in it goes. A thread that holds it may hold it again: a
    command that asks and then scores holds the run over both, and each of them does so alone.

    Args:
        folder: What is written to.
        doing: In words, for the message to the second process: "building tables".
        waits: The second one waits until the first has ended, instead of an error.

    Raises:
        FolderInUseError: Another process, or another thread of this one, holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    owner = (threading.get_ident(), folder.stat().st_dev, folder.stat().st_ino)
    if owner in _HELD:
        yield
        return
    # The folder itself is locked, not a file in it: nothing is left behind, and the system gives
    # the lock back when the process dies, however it dies.
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if not waits:
                msg = (
                    f"{folder}: another process is {doing} here; wait for it to end, or give this "
                    "one a folder of its own"
                )
                raise FolderInUseError(msg) from error
            logger.warning("%s: another process is %s here; waiting for it to end", folder, doing)
            fcntl.flock(handle, fcntl.LOCK_EX)  # Ctrl-C ends it, as any other wait
        _HELD.add(owner)
        _remove_drafts([*folder.glob(".*.json.*"), *folder.glob(".*.parquet.*")])
        yield
    finally:
        _HELD.discard(owner)
        os.close(handle)


_HELD: set[tuple[int, int, int]] = set()
"""Folders held by this process: thread, device, inode."""


def write_text(path: Path, text: str) -> None:
    """Write a text file so that readers see the old or the new one, never half of it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old or the new one, never half of it."""
    with draft_of(path) as draft:
        draft.write_bytes(content)


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A file beside `path` to write into, which takes its place at the end of the block.

    A block that raises leaves `path` as it was and no draft; what killed processes left of theirs
    goes.
    """
    _remove_drafts(path.parent.glob(f".{glob.escape(path.name)}.*"))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path):
            yield draft
            sync(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name what could not be written where the system does not: a full disk has no file name."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def sync(path: Path) -> None:
    """Have a file's bytes on the disk.

    Without it a power cut may leave a name that was published with none of the bytes.
    """
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _remove_drafts(found: Iterable[Path]) -> None:
    """Remove those of files that are drafts of processes that are gone."""
    for path in found:
        process = path.suffix[1:]
        if not process.isdigit():
            continue
        try:
            os.kill(int(process), 0)  # which harms nobody: it asks whether there is one
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except OSError:  # of another user
            continue


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours in a way that a kill in between cannot turn into half a folder.

    It is renamed first; what a killed process left renamed goes with the next removal beside it.
    """
    for old in folder.parent.glob(f".removed-*-{folder.name}"):
        shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        doomed = folder.with_name(f".removed-{os.getpid()}-{folder.name}")
        folder.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def absolute(path: Path) -> Path:
    """A path from the root of the file system, its links kept: names and suffixes are theirs.

    Only what comes before a `..` is followed, as the system itself does.
    """
    parts = path.absolute().parts
    if ".." not in parts:
        return path.absolute()
    last = len(parts) - parts[::-1].index("..")
    return Path(*parts[:last]).resolve().joinpath(*parts[last:])


def local_path(text: str | Path) -> Path:
    """A path that Arrow takes for one: it would read `run:1/scores` as an address."""
    path = Path(text)
    return path.absolute() if ":" in str(path) else path


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

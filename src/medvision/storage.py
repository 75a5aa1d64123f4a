"""Folders that are ours: names stay inside, one process at a time, files whole or not at all."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from medvision.errors import ItemError, UsageError

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
def only_process(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder for this process; made if it is not there.

    Args:
        folder: What is written to.
        doing: In words, for the message to the second process: "building tables".

    Raises:
        FolderInUseError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The folder itself is locked, not a file in it: nothing is left behind, and the system gives
    # the lock back when the process dies, however it dies.
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = (
                f"{folder}: another process is {doing} here; wait for it to end, or give this one "
                "a folder of its own"
            )
            raise FolderInUseError(msg) from error
        yield
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file so that readers see the old or the new one, never half of it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old or the new one, never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    publish(draft, path)


def publish(draft: Path, path: Path) -> None:
    """Put a finished file in its place, its bytes on the disk before its name.

    Without the sync a power cut may leave the new name with none of the bytes.
    """
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(path)


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


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

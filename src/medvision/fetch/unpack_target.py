"""Where an archive's files go: what every member has to pass before a byte of it is written."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self

from medvision.fetch.errors import (
    DamagedArchiveError,
    UnsafeArchiveError,
    refuse_without_space,
)
from medvision.fetch.records import FileFacts

CHUNK_BYTES = 1 << 20
JUNK = re.compile(r"(^|/)(__MACOSX|\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)(/|$)")
"""What file managers leave in archives, and no reader of images should find."""

RATIO = 200
FLOOR_BYTES = 1 << 30
"""An archive may grow this many times, and this much anyway, where nothing declares its size.

Compressed volumes grow by a few percent, plain label maps hundreds of times.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Most that an archive may hold.

    Attributes:
        bytes_in_all: Of all its files; None for a multiple of the archive's own size.
        files: Their number.
    """

    bytes_in_all: int | None = None
    files: int = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What an archive says of one of its entries.

    Attributes:
        name: As the archive writes it.
        size_bytes: Unpacked, as declared.
    """

    name: str
    size_bytes: int
    kind: Literal["file", "folder", "link", "special"] = "file"


def safe_path(name: str) -> str:
    r"""The path of a member below any folder it may be unpacked into; "" for the folder itself.

    Args:
        name: As the archive writes it; some write backslashes between folders.

    Raises:
        UnsafeArchiveError: It is absolute, climbs out, or holds control characters or no UTF-8.

    Example:
        >>> safe_path("./amos22\\imagesTr/amos_0001.nii.gz")
        'amos22/imagesTr/amos_0001.nii.gz'
        >>> safe_path("a/../../b")
        Traceback (most recent call last):
        medvision.fetch.errors.UnsafeArchiveError: member 'a/../../b' leads out of its folder
    """
    path = name.replace("\\", "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        msg = f"member {name[:120]!r} is an absolute path"
        raise UnsafeArchiveError(msg)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        msg = f"member {name[:120]!r} leads out of its folder"
        raise UnsafeArchiveError(msg)
    # 255 bytes is what most file systems take; a longer name would fail in the middle.
    # Bytes that are not UTF-8 come as half characters, which no table of ours can hold.
    odd = re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", path)
    if odd or any(len(part.encode()) > 255 for part in parts):
        msg = f"member {name[:120]!r} is no name of a file"
        raise UnsafeArchiveError(msg)
    return "/".join(parts)


class Target:
    """A folder that takes an archive's files, and counts them against the limits.

    Attributes:
        folder: Where they go.
        most_bytes: Of all files together.
        files: Path below the folder to what was written there.
    """

    def __init__(self, folder: Path, archive_bytes: int, limits: Limits) -> None:
        self.folder = folder
        self.files: dict[str, FileFacts] = {}
        self.most_bytes = limits.bytes_in_all or max(RATIO * archive_bytes, FLOOR_BYTES)
        self._most_files = limits.files
        self._declared_bytes = 0
        self._written_bytes = 0
        self._members: dict[str, Member] = {}
        self._folders: set[str] = set()

    def place(self, member: Member) -> str | None:
        """Where a member goes, below the folder; None for folders and for what is left out.

        Raises:
            UnsafeArchiveError: A name that leads elsewhere, a link, a device, one name for two
                files, or more than the limits allow.
        """
        path = safe_path(member.name)
        if JUNK.search(path):
            return None
        if member.kind in ("link", "special"):
            what = "link to no file of the archive" if member.kind == "link" else "device or pipe"
            msg = f"member {member.name[:120]!r} is a {what}, and only files are unpacked"
            raise UnsafeArchiveError(msg)
        above = [path[: at.start()] for at in re.finditer("/", path)]
        if taken := next((one for one in above if one in self._members), None):
            msg = f"member {taken!r} is a file and a folder"
            raise UnsafeArchiveError(msg)
        self._folders.update(above)
        if member.kind == "folder" or not path:
            return None
        if path in self._members or path in self._folders:
            msg = f"member {path!r} is there twice"
            raise UnsafeArchiveError(msg)
        self._members[path] = member
        self._declared_bytes += member.size_bytes
        if self._declared_bytes > self.most_bytes or len(self._members) > self._most_files:
            msg = (
                f"declares {self._declared_bytes:,} bytes or more in {len(self._members):,} files; "
                f"expected at most {self.most_bytes:,} bytes in {self._most_files:,} files"
            )
            raise UnsafeArchiveError(msg)
        return path

    def place_all(self, members: Iterable[Member]) -> dict[str, str]:
        """Name to path of all members that are to be written, checked before the first is.

        Raises:
            UnsafeArchiveError: As `place` does.
            DiskFullError: They would not fit.
        """
        placed = {member.name: self.place(member) for member in members}
        refuse_without_space(self.folder, self._declared_bytes, "unpacking")
        return {name: path for name, path in placed.items() if path}

    def sink(self, path: str) -> "Sink":
        """Opens the file that a placed member is written to."""
        at = self.folder / path
        at.parent.mkdir(parents=True, exist_ok=True)
        return Sink(self, path, at.open("xb"))

    def add_bytes(self, n_bytes: int) -> None:
        """Count what has been written.

        Raises:
            UnsafeArchiveError: The limit is reached, whatever was declared.
        """
        self._written_bytes += n_bytes
        if self._written_bytes > self.most_bytes:
            msg = f"unpacks to more than {self.most_bytes:,} bytes"
            raise UnsafeArchiveError(msg)

    def declared_bytes(self, path: str) -> int:
        """Size of a placed member as the archive declares it."""
        return self._members[path].size_bytes


class Sink:
    """One file being written: counted, hashed, and no longer than declared."""

    def __init__(self, target: Target, path: str, stream: BinaryIO) -> None:
        self._target, self._path, self._stream = target, path, stream
        self._digest = hashlib.sha256()
        self._most = target.declared_bytes(path)
        self._size = 0

    def write(self, data: bytes | bytearray) -> int:
        """Write the next bytes.

        Raises:
            UnsafeArchiveError: More than the archive declares of this file, or than the limits.
        """
        self._size += len(data)
        if self._size > self._most:
            msg = f"member {self._path!r} holds more than the {self._most:,} bytes it declares"
            raise UnsafeArchiveError(msg)
        self._target.add_bytes(len(data))
        self._digest.update(data)
        return self._stream.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        self._stream.close()
        if kind is None:
            self.finish()

    def finish(self) -> None:
        """Close the file and enter it.

        Raises:
            DamagedArchiveError: It is shorter than declared.
        """
        self._stream.close()
        if self._size != self._most:
            msg = f"member {self._path!r}: expected {self._most:,} bytes, found {self._size:,}"
            raise DamagedArchiveError(msg)
        self._target.files[self._path] = FileFacts(
            size_bytes=self._size, sha256=self._digest.hexdigest()
        )

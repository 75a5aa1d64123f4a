"""Bytes of a plain or packed file, unpacked straight into an array."""

import bz2
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from isal import igzip_lib, isal_zlib

from medvision.volumes.errors import CorruptFileError, OutOfMemoryError, TruncatedFileError

GZIP_MAGIC = b"\x1f\x8b"
"""RFC 1952, 2.3.1: ID1, ID2."""

_BZIP2_MAGIC = b"BZh"

_ZLIB_WBITS = 15
_GZIP_WBITS = 31
"""As zlib has it: the largest window, 15 bits, and 16 for a gzip header."""

_DAMAGED: Any = igzip_lib.IsalError
_PACKED_CHUNK = 1 << 18
_UNPACKED_CHUNK = 1 << 20
Packing = Literal["raw", "deflate", "bzip2"]
"""How bytes are packed; deflate is a gzip or a zlib stream, which their first bytes tell apart."""

_MAX_RATIO: dict[Packing, int] = {"raw": 1, "deflate": 1100, "bzip2": 1 << 21}
"""Deflate cannot pack more than 1032 bytes into one (zlib's technical details), bzip2 a block of
900 000 runs of 259 bytes into some forty: a header that announces more is refused before memory is
taken for it."""

ByteArray = npt.NDArray[np.uint8]


def is_gzip(path: Path) -> bool:
    """Whether the file starts as gzip does, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file, unpacked if gzipped; fewer where the file ends before.

    Raises:
        CorruptFileError: The gzip stream is damaged.
        TruncatedFileError: The gzip stream ends too early.
    """
    if not is_gzip(path):
        with path.open("rb") as file:
            return file.read(count)
    found = b""
    for chunk in _deflate_chunks(path):
        found += chunk
        if len(found) >= count:
            break
    return found[:count]


def voxel_bytes(path: Path, *, start: int, count: int) -> ByteArray:
    """Exactly `count` bytes of a file after the first `start`, unpacked if gzipped.

    Bytes after those are ignored, also where they follow the gzip stream; its checksum is tested.

    Raises:
        CorruptFileError: The gzip stream is damaged.
        TruncatedFileError: The file ends before.
        OutOfMemoryError: More bytes than this machine has memory.
    """
    packing: Packing = "deflate" if is_gzip(path) else "raw"
    found, _ = _stretch(path, packing, packed_from=0, start=start, count=count)
    return found


def packed_bytes(
    path: Path, packing: Packing, *, packed_from: int = 0, start: int = 0, count: int
) -> ByteArray:
    """Exactly `count` bytes at a place in a file, and nothing may be left after them.

    A stream is unpacked to its end, so that its checksum is tested, and gzip or bzip2 may have
    several members; bytes that follow the last one are ignored.

    Args:
        path: The file.
        packing: How its bytes are packed.
        packed_from: Bytes of the file before they begin; below 0, they are the last of a raw file.
        start: Unpacked bytes to skip.
        count: Unpacked bytes to give.

    Raises:
        CorruptFileError: The stream is damaged, or holds more.
        TruncatedFileError: The file or the stream ends before.
        OutOfMemoryError: More bytes than this machine has memory.
    """
    if packed_from < 0:
        packed_from = path.stat().st_size - count - start
    found, n_left = _stretch(path, packing, packed_from=packed_from, start=start, count=count)
    if n_left:
        msg = (
            f"{path}: expected {start + count} bytes from the header, found {n_left} more; sizes, "
            "type or the place of the voxels in the file are stated wrongly"
        )
        raise CorruptFileError(msg)
    return found


def _stretch(
    path: Path, packing: Packing, *, packed_from: int, start: int, count: int
) -> tuple[ByteArray, int]:
    """The bytes, and how many follow them."""
    size = path.stat().st_size - packed_from
    what = "bytes" if packing == "raw" else f"bytes of {packing}"
    if packed_from < 0 or start + count > size * _MAX_RATIO[packing]:
        raise _too_short(path, start + count, f"{max(size, 0)} {what}")
    if count > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        msg = f"{path}: its {count} bytes of voxels are more than this machine has memory"
        raise OutOfMemoryError(msg)
    if packing == "raw":
        offset = packed_from + start
        return np.fromfile(path, dtype=np.uint8, count=count, offset=offset), size - start - count
    found = np.empty(count, dtype=np.uint8)
    position = -start
    for chunk in _UNPACKERS[packing](path, packed_from):  # to the last one, for its checksum
        begin, end = max(position, 0), min(position + len(chunk), count)
        if begin < end:
            found[begin:end] = np.frombuffer(
                chunk, dtype=np.uint8, count=end - begin, offset=begin - position
            )
        position += len(chunk)
    if position < count:
        raise _too_short(path, start + count, f"{start + position} unpacked")
    return found, position - count


def _too_short(path: Path, expected: int, found: str) -> TruncatedFileError:
    msg = f"{path}: expected {expected} bytes from the header, found {found}; fetch the file again"
    return TruncatedFileError(msg)


def _deflate_chunks(path: Path, packed_from: int = 0) -> Iterator[bytes]:
    """Unpacked chunks of all members of a gzip stream (RFC 1952, 2.2), or of one zlib stream.

    What follows the last member is ignored.
    """
    with path.open("rb") as file:
        file.seek(packed_from)
        packed = file.read(_PACKED_CHUNK)
        kind = "gzip" if packed.startswith(GZIP_MAGIC) else "zlib"
        first = True
        while first or packed.startswith(GZIP_MAGIC):
            unpacker = isal_zlib.decompressobj(_GZIP_WBITS if kind == "gzip" else _ZLIB_WBITS)
            try:
                while not unpacker.eof:
                    chunk = unpacker.decompress(packed, _UNPACKED_CHUNK)
                    yield chunk
                    packed = unpacker.unconsumed_tail
                    if not packed and not unpacker.eof:
                        packed = file.read(_PACKED_CHUNK)
                        if not packed and not chunk:
                            raise _cut(path, kind)
            except _DAMAGED as error:
                if not first:  # bytes that look like another member are no damage either
                    return
                raise _damaged(path, kind, error) from error
            first = False
            if kind == "zlib":
                return
            packed = unpacker.unused_data
            if len(packed) < len(GZIP_MAGIC):
                packed += file.read(_PACKED_CHUNK)


def _bzip2_chunks(path: Path, packed_from: int) -> Iterator[bytes]:
    """Unpacked chunks of all members of a bzip2 stream; what follows the last one is ignored."""
    with path.open("rb") as file:
        file.seek(packed_from)
        packed, first = file.read(_PACKED_CHUNK), True
        while first or packed.startswith(_BZIP2_MAGIC):
            unpacker = bz2.BZ2Decompressor()
            try:
                while not unpacker.eof:
                    yield unpacker.decompress(packed, _UNPACKED_CHUNK)
                    packed = file.read(_PACKED_CHUNK) if unpacker.needs_input else b""
                    if unpacker.needs_input and not packed:
                        raise _cut(path, "bzip2")
            except (OSError, ValueError) as error:
                if not first:
                    return
                raise _damaged(path, "bzip2", error) from error
            first = False
            packed = unpacker.unused_data
            if len(packed) < len(_BZIP2_MAGIC):
                packed += file.read(_PACKED_CHUNK)


def _cut(path: Path, kind: str) -> TruncatedFileError:
    return TruncatedFileError(f"{path}: the {kind} stream ends too early; fetch the file again")


def _damaged(path: Path, kind: str, error: Exception) -> CorruptFileError:
    return CorruptFileError(f"{path}: the {kind} stream is damaged ({error}); fetch it again")


_UNPACKERS: dict[Packing, Callable[[Path, int], Iterator[bytes]]] = {
    "deflate": _deflate_chunks,
    "bzip2": _bzip2_chunks,
}

"""Bytes of a plain or gzipped file, unpacked straight into an array."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import igzip_lib, isal_zlib

from medvision.volumes.errors import CorruptFileError, TruncatedFileError

GZIP_MAGIC = b"\x1f\x8b"
"""RFC 1952, 2.3.1: ID1, ID2."""

_GZIP_WBITS = 31
"""As zlib has it: the largest window, 15 bits, and 16 for a gzip header."""

_DAMAGED: Any = igzip_lib.IsalError
_PACKED_CHUNK = 1 << 18
_UNPACKED_CHUNK = 1 << 20
_MAX_RATIO = 1100
"""Deflate cannot pack more than 1032 bytes into one (zlib's technical details): a header that
announces more is refused before memory is taken for it."""

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
    for chunk in _gzip_chunks(path):
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
    """
    size = path.stat().st_size
    packed = is_gzip(path)
    if start + count > size * (_MAX_RATIO if packed else 1):
        raise _too_short(path, start + count, f"{size} bytes{' of gzip' if packed else ''}")
    if not packed:
        return np.fromfile(path, dtype=np.uint8, count=count, offset=start)
    found = np.empty(count, dtype=np.uint8)
    position = -start
    for chunk in _gzip_chunks(path):  # to the last one, so that the checksum is tested
        begin, end = max(position, 0), min(position + len(chunk), count)
        if begin < end:
            found[begin:end] = np.frombuffer(
                chunk, dtype=np.uint8, count=end - begin, offset=begin - position
            )
        position += len(chunk)
    if position < count:
        raise _too_short(path, start + count, f"{start + position} unpacked")
    return found


def _too_short(path: Path, expected: int, found: str) -> TruncatedFileError:
    msg = f"{path}: expected {expected} bytes from the header, found {found}; fetch the file again"
    return TruncatedFileError(msg)


def _gzip_chunks(path: Path) -> Iterator[bytes]:
    """Unpacked chunks of all members of a gzip file (RFC 1952, 2.2); what follows is ignored."""
    with path.open("rb") as file:
        packed = file.read(_PACKED_CHUNK)
        first = True
        while packed.startswith(GZIP_MAGIC):
            unpacker = isal_zlib.decompressobj(_GZIP_WBITS)
            try:
                while not unpacker.eof:
                    chunk = unpacker.decompress(packed, _UNPACKED_CHUNK)
                    yield chunk
                    packed = unpacker.unconsumed_tail
                    if not packed and not unpacker.eof:
                        packed = file.read(_PACKED_CHUNK)
                        if not packed and not chunk:
                            msg = f"{path}: the gzip stream ends too early; fetch the file again"
                            raise TruncatedFileError(msg)
            except _DAMAGED as error:
                if not first:  # bytes that look like another member are no damage either
                    return
                msg = f"{path}: the gzip stream is damaged ({error}); fetch the file again"
                raise CorruptFileError(msg) from error
            first = False
            packed = unpacker.unused_data
            if len(packed) < len(GZIP_MAGIC):
                packed += file.read(_PACKED_CHUNK)

"""Whether the file of a picture is whole, by the checksums and lengths that its format has.

Decoders of pictures are made to show what they can. Pillow neither compares the checksum of a
PNG's pixels nor reads on after the last row, libtiff stops at the last row too, and libjpeg fills
what is missing with grey: a changed byte moves the edge of a label, and nobody hears of it.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isal import igzip_lib, isal_zlib
from PIL import Image

from medvision.volumes.errors import CorruptFileError, TruncatedFileError, UnsupportedFormatError
from medvision.volumes.tiff_layout import COMPRESSION, UNPACKED, Strip, strips

CHECKED_FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "BMP", "DIB")
"""What Pillow calls the formats that are read here; BMP has no more than its length, which Pillow
compares."""

_DAMAGED: Any = igzip_lib.IsalError
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""First row and column of each pass of an interlaced PNG, and its steps between rows and columns
(PNG, 8.2)."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Numbers a pixel has, by a PNG's colour type."""

_JPEG_STANDS_ALONE = (0x01, *range(0xD0, 0xD9))
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
# In the coded data, 0xFF is followed by 0 or by the number of a restart; all else ends it.
_JPEG_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_JPEG_RESTART = re.compile(rb"\xff([\xd0-\xd7])")

_LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 5, 7, 8, 32946, 32773
"""Kinds of compression of a TIFF."""


def check_whole(path: Path, picture: Image.Image, content: bytes) -> None:
    """Refuse a picture whose file is damaged or cut short, as far as its format shows it.

    Args:
        path: The file, for messages.
        picture: As Pillow has opened it.
        content: Of the file.

    Raises:
        TruncatedFileError: It ends early.
        CorruptFileError: A checksum differs, or a length does.
        UnsupportedFormatError: Of a kind that is not checked here.
    """
    kind = picture.format
    if kind not in CHECKED_FORMATS:
        msg = f"{path}: expected PNG, JPEG, TIFF or BMP inside, found {kind}; save it as PNG"
        raise UnsupportedFormatError(msg)
    if kind == "PNG":
        _check_png(path, content)
    elif kind in ("JPEG", "MPO"):
        _check_jpeg(str(path), content)
    elif kind == "TIFF":
        _check_tiff(path, picture.tag_v2, memoryview(content))  # type: ignore[attr-defined]


def png_pixel_bytes(width_px: int, height_px: int, bits_per_pixel: int, *, interlaced: bool) -> int:
    """Bytes of a PNG's pixels before they are packed: of each row one more, its filter.

    Example:
        Two rows of ten pixels of 4 bits:

        >>> png_pixel_bytes(10, 2, 4, interlaced=False)
        12
    """
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for first_row, first_column, down, right in passes:
        rows = len(range(first_row, height_px, down))
        columns = len(range(first_column, width_px, right))
        total += rows * (1 + -(-columns * bits_per_pixel // 8)) if columns else 0
    return total


def _check_png(path: Path, data: bytes) -> None:
    """Compare the CRC-32 of each chunk, and the Adler-32 and the length of the pixels."""
    at, name, head, packed = 8, b"", b"", []
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at) if at + 8 <= len(data) else (0, b"")
        end = at + 8 + length
        if not name or end + 4 > len(data):
            msg = f"{path}: the PNG ends before its last chunk; fetch it again"
            raise TruncatedFileError(msg)
        body = memoryview(data)[at + 8 : end]
        if zlib.crc32(memoryview(data)[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            shown = name.decode("ascii", "replace")
            msg = f"{path}: chunk {shown!r} of the PNG has another checksum than it states; "
            raise CorruptFileError(msg + "fetch it again")
        if name == b"IHDR":
            head = bytes(body)
        elif name == b"IDAT":
            packed.append(body)
        at = end + 4
    width_px, height_px, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", head)
    expected = png_pixel_bytes(
        width_px, height_px, bits * _CHANNELS[colour], interlaced=bool(interlace)
    )
    _check_deflated(f"{path}: pixels of the PNG", b"".join(packed), (expected,))


def _check_deflated(item: str, packed: bytes | memoryview, lengths: tuple[int, ...]) -> None:
    """Refuse a zlib stream that is not whole, or gives none of some numbers of bytes."""
    unpacker = isal_zlib.decompressobj()
    try:
        found = len(unpacker.decompress(packed, max(lengths) + 1))
    except _DAMAGED as error:
        msg = f"{item}: the packed data are damaged ({error}); fetch the file again"
        raise CorruptFileError(msg) from error
    if not unpacker.eof and found <= max(lengths):
        msg = f"{item}: the packed data end too early, after {found} bytes; fetch the file again"
        raise TruncatedFileError(msg)
    if found not in lengths:
        raise _wrong_length(item, lengths, f"{found} or more" if not unpacker.eof else f"{found}")


def _wrong_length(item: str, lengths: tuple[int, ...], found: str) -> CorruptFileError:
    expected = " or ".join(map(str, lengths))
    msg = f"{item}: expected {expected} bytes by the header, found {found}; fetch the file again"
    return CorruptFileError(msg)


def _check_jpeg(item: str, data: bytes) -> None:
    """Refuse a JPEG without its end, with a segment that is cut, or with restarts out of order."""
    at = 2
    while at + 2 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF:
            msg = f"{item}: expected a segment of the JPEG at byte {at}, found other data; "
            raise CorruptFileError(msg + "fetch the file again")
        if marker == _JPEG_END:
            return
        if marker == 0xFF or marker in _JPEG_STANDS_ALONE:  # 0xFF may be repeated to fill up
            at += 1 if marker == 0xFF else 2
            continue
        if at + 4 > len(data):
            break
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        if marker == _JPEG_SCAN:
            following = _JPEG_NEXT_MARKER.search(data, at)
            if following is None:
                break
            restarts = [
                found[1][0] & 7 for found in _JPEG_RESTART.finditer(data, at, following.start())
            ]
            if any(number != n % 8 for n, number in enumerate(restarts)):
                msg = f"{item}: parts of the JPEG are missing or out of order; fetch the file again"
                raise CorruptFileError(msg)
            at = following.end() - 2
    msg = f"{item}: the JPEG ends without its end marker; fetch the file again"
    raise TruncatedFileError(msg)


def _check_tiff(path: Path, tags: Mapping[int, Any], data: memoryview) -> None:
    """Refuse strips or tiles that are missing, lie outside, or unpack to another length."""
    compression = int(tags.get(COMPRESSION, UNPACKED))
    for strip in strips(path, tags):
        item = f"{path}: {strip.name}"
        if strip.offset + strip.n_bytes > len(data) or strip.n_bytes == 0:
            msg = (
                f"{item}: expected {strip.n_bytes} bytes from byte {strip.offset}, found a file "
                f"of {len(data)}; fetch it again"
            )
            raise TruncatedFileError(msg)
        _check_strip(item, strip, data[strip.offset : strip.offset + strip.n_bytes], compression)


def _check_strip(item: str, strip: Strip, packed: memoryview, compression: int) -> None:
    """Refuse a strip or tile that does not give as many bytes as its place needs."""
    if compression in (_DEFLATE, _OLD_DEFLATE):
        _check_deflated(item, packed, strip.lengths)
    elif compression == _JPEG:
        _check_jpeg(item, bytes(packed))
    elif compression == UNPACKED:
        # Some programs fill up to a multiple of four bytes.
        if not any(0 <= len(packed) - length < 4 for length in strip.lengths):
            raise _wrong_length(item, strip.lengths, str(len(packed)))
    elif compression in (_LZW, _PACKBITS) and strip.bits_in_order:
        # Imported here alone: the compiler takes long to load, and few pictures need it.
        from medvision.volumes.run_lengths import lzw_length, packbits_length

        length_of = lzw_length if compression == _LZW else packbits_length
        found = [length_of(packed, length) for length in strip.lengths]
        if not set(found) & set(strip.lengths):
            raise _wrong_length(item, strip.lengths, "others" if found[0] < 0 else str(found[0]))

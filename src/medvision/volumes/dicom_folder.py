"""What a library does not tell of DICOM files: which ones a folder holds, and what their bytes say.

A series reader leaves out, without a word, what it cannot parse: a slice that was cut short is then
missing, and at the end of a stack nobody sees the gap. So a folder is listed here, and each of its
files is a slice, a kind of file that is known to be none, or an error.
"""

import mmap
import re
import struct
from pathlib import Path

from medvision.volumes.suffixes import DICOM

_PREAMBLE_BYTES = 128
"""DICOM PS3.10, 7.1: 128 free bytes, then DICM."""
_META_BYTES = 2048
"""Enough for the file meta information, which states class and transfer syntax."""
_STORAGE_CLASS, _TRANSFER_SYNTAX = (0x0002, 0x0002), (0x0002, 0x0010)
_LONG_FORMS = frozenset({b"OB", b"UN"})
"""Value representations of that group whose length takes four bytes after two empty ones."""

# PS3.4, B.5, the common stem left out: DICOMDIR; then presentation states, registrations and
# segmentations, reports and documents, RT structures, plans and records, waveforms.
_NO_SLICES = re.compile(
    r"1\.2\.840\.10008\.(1\.3\.10$|5\.1\.4\.1\.1\.(11|66|88|104|9)\b|5\.1\.4\.1\.1\.481\.[3-9]\b)"
)

NATIVE_SYNTAXES = frozenset(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2"))
"""Transfer syntaxes whose pixels are not compressed: implicit, explicit, big-endian."""

_PIXEL_ELEMENTS = (
    # Bytes up to the length, and how the length is written, in each of the native syntaxes.
    (re.compile(rb"\xe0\x7f\x10\x00O[BW]\0\0"), "<I"),
    (re.compile(rb"\xe0\x7f\x10\x00(?!O[BW])"), "<I"),
    (re.compile(rb"\x7f\xe0\x00\x10O[BW]\0\0"), ">I"),
)
_MODALITY_LUT = re.compile(rb"\x28\x00\x00\x30(SQ\0\0)?.{4}\xfe\xff\x00\xe0", re.DOTALL)
"""(0028,3000) with an item in it, implicit or explicit."""


def has_preamble(path: Path) -> bool:
    """Whether the file says it is DICOM, whatever its name."""
    with path.open("rb") as file:
        return file.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"


def is_slice_file(path: Path) -> bool:
    """Whether a file of a DICOM folder should hold pixels of a series.

    By content where it says DICOM. Else by name: a slice that was cut short or replaced by a
    server's error page is still called `12.dcm`; with no suffix, or a number for one, a file is
    taken for a slice unless it is a text.
    """
    if path.name.startswith("."):
        return False
    if has_preamble(path):
        return _NO_SLICES.match(storage_class(path)) is None
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if any(suffix in DICOM for suffix in suffixes):  # also of "12.dcm.gz" and "12.dcm.part"
        return True
    if suffixes and not suffixes[-1][1:].isdigit():
        return False
    with path.open("rb") as file:
        head = file.read(_META_BYTES)
    return not head or b"\0" in head


def slice_files(folder: Path) -> list[Path]:
    """Files of a folder that should be slices, in order of their names; folders below are not."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and is_slice_file(path)]


def slices_below(folder: Path) -> Path | None:
    """A slice in a folder below this one, or None."""
    below = (path for path in sorted(folder.glob("*/**/*")) if path.is_file())
    return next((path for path in below if has_preamble(path) and is_slice_file(path)), None)


def storage_class(path: Path) -> str:
    """UID of what kind of object a file holds (PS3.4, B.5); "" where it does not say."""
    return _meta(path).get(_STORAGE_CLASS, "")


def transfer_syntax(path: Path) -> str:
    """UID of how a file writes its elements and pixels; "" where it does not say."""
    return _meta(path).get(_TRANSFER_SYNTAX, "")


def lacks_pixel_bytes(path: Path, expected: int) -> bool:
    """Whether no pixel data element of a file with uncompressed pixels has so many bytes.

    GDCM fills up what is missing with whatever its memory holds. An icon has pixel data too, so
    any element will do.
    """
    if transfer_syntax(path) not in NATIVE_SYNTAXES:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for element, form in _PIXEL_ELEMENTS:
            for found in element.finditer(content):
                start = found.end() + 4
                (length,) = struct.unpack(form, content[found.end() : start].ljust(4, b"\0"))
                if expected <= length <= len(content) - start:
                    return False
    return True


def has_modality_lut(path: Path) -> bool:
    """Whether stored values become measured ones by a table, which GDCM does not apply."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = content.find(b"\xe0\x7f\x10\x00")  # pixels may hold any bytes
        return _MODALITY_LUT.search(content, 0, end if end > 0 else len(content)) is not None


def _meta(path: Path) -> dict[tuple[int, int], str]:
    """The UIDs of the file meta information, which is explicit little-endian in every file."""
    with path.open("rb") as file:
        head = file.read(_META_BYTES)
    found: dict[tuple[int, int], str] = {}
    place = _PREAMBLE_BYTES + 4 if head[_PREAMBLE_BYTES:].startswith(b"DICM") else len(head)
    while place + 12 <= len(head) and head[place : place + 2] == b"\x02\x00":
        tag = struct.unpack_from("<HH", head, place)
        is_long = head[place + 4 : place + 6] in _LONG_FORMS
        start = place + (12 if is_long else 8)
        width = 4 if is_long else 2
        length = int.from_bytes(head[start - width : start], "little")
        place = start + length
        found[tag] = head[start:place].decode("latin-1").rstrip("\0 ")
    return found

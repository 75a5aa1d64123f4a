"""MetaImage (.mha, .mhd); its world is LPS.

Read here and not through ITK: its reader returns voxels of damaged and of some whole compressed
files from memory that nobody wrote, and stops the process at some headers. What fields mean is
taken from MetaIO's documentation (itk.org/Wiki/MetaIO) and, where that is silent, from what ITK
does; tests compare every form with it.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medvision.frames import FloatArray
from medvision.volumes.errors import (
    BadHeaderError,
    DimensionsError,
    InvalidSpacingError,
    MissingSpacingError,
    NotAnImageError,
    UnsupportedPixelsError,
)
from medvision.volumes.side_files import is_pattern, named_files, numbered_names
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.units import LENGTH_UNITS, unit_mm
from medvision.volumes.volume import SpacingSource
from medvision.volumes.voxel_files import VoxelFiles, read_voxels

LPS_TO_RAS: FloatArray = np.diag([-1.0, -1.0, 1.0, 1.0])
"""ITK's and DICOM's world to ours; its own inverse."""

_HEADER_BYTES = 1 << 16
"""The header has no stated length and is followed by voxels: this much is searched for its end."""
_LIST_BYTES = 1 << 24

_ENTRY = re.compile(r"^\s*([^=]+?)\s*=\s*(.*?)\s*$")
_PATTERN = re.compile(r"(\S+)((?:\s+-?\d{1,9}){0,3})")
_MAX_AXES = 10

_DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # four bytes on every machine, as MetaIO writes it
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Header:
    """A text header that passed the checks of its form.

    Attributes:
        path: The file.
        entries: Its lines, by name.
        sizes: Voxels along each axis.
        end: Bytes of the file before what follows the header.
    """

    path: Path
    entries: dict[str, str]
    sizes: tuple[int, ...]
    end: int

    def says(self, name: str, *, default: bool = False) -> bool:
        """Whether an entry is true, by MetaIO's rule: its first letter is t, T or 1."""
        return self.entries.get(name, str(default))[:1] in ("t", "T", "1")

    def numbers(self, names: tuple[str, ...], default: FloatArray) -> FloatArray:
        """Numbers of the first of some entries that is there, as many as the default has."""
        name = next((name for name in names if name in self.entries), None)
        if name is None:
            return default
        words = self.entries[name].split()
        found = np.array([_number(word) for word in words])
        if found.size != default.size or not np.isfinite(found).all():
            msg = (
                f"{self.path}: expected {default.size} numbers as {name}, found "
                f"{self.entries[name][:80]!r}; repair the header"
            )
            raise BadHeaderError(msg)
        return found


def open_metaimage(path: Path, options: ReadOptions) -> StoredImage:
    """A MetaImage, 2D or 3D.

    Axes are LPS whatever `AnatomicalOrientation` says: ITK does not apply it.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    header = _text_header(path)
    sizes = header.sizes
    if len(sizes) < 2 or any(n != 1 for n in sizes[3:]):
        msg = f"{path}: expected a 2D image or a 3D volume, found shape {sizes}; split it first"
        raise DimensionsError(msg)
    spacing = _spacing_mm(header)
    voxels = _voxel_files(header)
    flags = () if _unit_mm(header) == 1.0 else ("units_converted",)
    if len(sizes) == 2:
        found = None
        if spacing is not None:
            x_mm, y_mm = (float(s) for s in spacing)
            found = NativeSpacing(spacing_y_mm=y_mm, spacing_x_mm=x_mm, source=SpacingSource.HEADER)
        native = native_spacing(path, options, found)
        return StoredImage(
            path=path,
            shape=sizes[::-1],
            affine=native.affine,
            spacing_source=native.source,
            flags=(*flags, *native.flags),
            load=lambda: read_voxels(voxels).T,
        )
    if spacing is None:
        msg = f"{path}: the MetaImage header has no ElementSpacing; add it"
        raise MissingSpacingError(msg)
    return StoredImage(
        path=path,
        shape=sizes[:3],
        affine=_affine(header, spacing),
        spacing_source=SpacingSource.HEADER,
        flags=flags,
        load=lambda: read_voxels(voxels).reshape(sizes[:3], order="F"),
    )


def fields(path: Path) -> dict[str, str]:
    """Lines of a header by name, those that users add among them.

    Raises:
        ItemError: The header cannot be understood.
    """
    return _text_header(path).entries


def data_files(path: Path) -> tuple[Path, ...]:
    """Files with the voxels of a header; none if they follow it.

    Raises:
        ItemError: The header cannot be understood, or names files that are not there.
    """
    header = _text_header(path)
    return named_files(path, _data_names(header))


def _text_header(path: Path) -> _Header:
    with path.open("rb") as file:
        content = file.read(_HEADER_BYTES)
    entries: dict[str, str] = {}
    end = 0
    for line in content.split(b"\n"):
        end += len(line) + 1
        # File names may hold any bytes: they go back to the system as they came.
        match = _ENTRY.match(line.decode("utf-8", "surrogateescape"))
        if match is not None:
            entries[match[1]] = match[2]
        if match is not None and match[1] == "ElementDataFile":
            break
    if not {"NDims", "DimSize", "ElementDataFile"} <= set(entries):
        msg = f"{path}: not a MetaImage: NDims, DimSize and ElementDataFile do not lead the file"
        raise NotAnImageError(msg)
    n_axes, words = entries["NDims"], entries["DimSize"].split()
    sizes = tuple(int(word) for word in words if re.fullmatch(r"\+?\d{1,18}", word))
    wanted = int(n_axes) if re.fullmatch(r"\d{1,3}", n_axes) else 0
    if not 1 <= wanted <= _MAX_AXES or len(words) != wanted or len(sizes) != wanted or 0 in sizes:
        msg = (
            f"{path}: expected NDims from 1 to {_MAX_AXES} and as many positive whole numbers in "
            f"DimSize, found NDims = {n_axes[:20]} and DimSize = {entries['DimSize'][:80]}"
        )
        raise BadHeaderError(msg)
    return _Header(path=path, entries=entries, sizes=sizes, end=end)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _unit_mm(header: _Header) -> float:
    """Millimetres per unit of spacing and origin; ITK does not look at it."""
    word = header.entries.get("DistanceUnits", "")
    found = 1.0 if word in ("", "?") else unit_mm(word)
    if found is None:
        msg = f"{header.path}: expected DistanceUnits of {LENGTH_UNITS}, found {word[:40]!r}"
        raise BadHeaderError(msg)
    return found


def _spacing_mm(header: _Header) -> FloatArray | None:
    """Along each axis; ITK takes an absent or zero one for 1 mm."""
    # ElementSize is the extent of a voxel. ITK takes it where ElementSpacing is absent.
    stated = header.entries.get("ElementSpacing", header.entries.get("ElementSize"))
    if stated is None:
        return None
    spacing = np.array([_number(word) for word in stated.split()])
    n_axes = len(header.sizes)
    if len(spacing) != n_axes or not (np.isfinite(spacing) & (spacing > 0)).all():
        msg = (
            f"{header.path}: expected {n_axes} positive numbers as ElementSpacing, found "
            f"'{stated[:80]}'"
        )
        raise InvalidSpacingError(msg)
    return spacing * _unit_mm(header)


def _affine(header: _Header, spacing_mm: FloatArray) -> FloatArray:
    n_axes = len(header.sizes)
    # Where a file has several of these, ITK takes the first named here.
    names = ("TransformMatrix", "Rotation", "Orientation")
    matrix = header.numbers(names, np.eye(n_axes).ravel()).reshape(n_axes, n_axes)
    origin = header.numbers(("Origin", "Offset", "Position"), np.zeros(n_axes))
    affine = np.eye(4)
    # A row of the matrix is the direction of an axis.
    affine[:3, :3] = matrix[:3, :3].T * spacing_mm[:3]
    affine[:3, 3] = origin[:3] * _unit_mm(header)
    return LPS_TO_RAS @ affine


def _voxel_files(header: _Header) -> VoxelFiles:
    path, entries = header.path, header.entries
    if entries.get("ElementNumberOfChannels", "1") != "1":
        n_channels = entries["ElementNumberOfChannels"][:20]
        msg = f"{path}: expected one number a voxel, found {n_channels} channels"
        raise UnsupportedPixelsError(msg)
    kind = entries.get("ElementType", "")
    if kind not in _DTYPES:
        msg = f"{path}: expected an ElementType of {', '.join(_DTYPES)}, found {kind[:40]!r}"
        raise UnsupportedPixelsError(msg)
    for name, plain in (("Slope", 1.0), ("Offset", 0.0)):
        stated = entries.get(f"ElementToIntensityFunction{name}", "")
        if stated and _number(stated) != plain:
            msg = (
                f"{path}: ElementToIntensityFunction{name} = {stated[:40]} is not applied here, "
                "nor by ITK; write the voxels with their final values"
            )
            raise UnsupportedPixelsError(msg)
    files = named_files(path, _data_names(header))
    big_endian = header.says(
        "BinaryDataByteOrderMSB" if "BinaryDataByteOrderMSB" in entries else "ElementByteOrderMSB"
    )
    packed = header.says("CompressedData")
    skip = entries.get("HeaderSize", "0")
    if not re.fullmatch(r"-1|\d{1,18}", skip) or (skip != "0" and (not files or packed)):
        msg = (
            f"{path}: expected HeaderSize -1 or from 0, of a data file that is not compressed, "
            f"found {skip[:20]}; repair the header"
        )
        raise BadHeaderError(msg)
    return VoxelFiles(
        header=path,
        files=files or (path,),
        packing="deflate"
        if packed
        else "raw"
        if header.says("BinaryData", default=True)
        else "text",
        dtype=np.dtype(_DTYPES[kind]).newbyteorder(">" if big_endian else "<"),
        sizes=header.sizes,
        packed_from=int(skip) if files else header.end,
    )


def _data_names(header: _Header) -> tuple[str, ...]:
    """Names of data files: none (`LOCAL`), one, those of a `LIST` below, or those of a pattern."""
    path, stated = header.path, header.entries["ElementDataFile"]
    word, *more = stated.split() or [""]
    if word.upper() == "LOCAL":
        return ()
    if word.upper() == "LIST":
        with path.open("rb") as file:
            file.seek(header.end)
            lines = file.read(_LIST_BYTES).decode("utf-8", "surrogateescape").splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
        is_told = more and re.fullmatch(r"\d{1,3}", more[0][0])
        n_axes = int(more[0][0]) if is_told else len(header.sizes) - 1
        n_files = math.prod(header.sizes[n_axes:])
        if len(names) != n_files:
            msg = f"{path}: expected {n_files} data files of {n_axes} axes, found {len(names)}"
            raise BadHeaderError(msg)
        return names
    match = _PATTERN.fullmatch(stated)
    if match is None or not is_pattern(match[1]):
        if not stated:
            msg = f"{path}: expected a file name or LOCAL as ElementDataFile, found nothing"
            raise BadHeaderError(msg)
        return (stated,)
    n_files = header.sizes[-1]
    numbers = [int(number) for number in match[2].split()]
    first, step = (numbers or [1])[0], (numbers[2:] or [1])[0]
    last = numbers[1] if len(numbers) > 1 else first + n_files - 1
    found = range(first, last + 1, step) if step > 0 else range(0)
    if len(found) != n_files:
        msg = f"{path}: expected {n_files} data files by DimSize, found '{stated[:80]}'"
        raise BadHeaderError(msg)
    return numbered_names(match[1], found, path)

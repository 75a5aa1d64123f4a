"""NRRD: attached .nrrd and detached .nhdr; pynrrd reads the fields.

What fields mean is read from Teem's definition of the format (teem.sourceforge.net/nrrd/format).
Voxels are read here: pynrrd takes headers for ASCII and so µm for m, ends at a gzip's first member,
and follows a header to any file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nrrd
import numpy as np

from medvision.frames import FloatArray
from medvision.volumes.canonical import check_axes
from medvision.volumes.errors import (
    BadHeaderError,
    DimensionsError,
    InvalidSpacingError,
    MissingSpacingError,
    NotAnImageError,
    UnsupportedFormatError,
    UnsupportedPixelsError,
)
from medvision.volumes.gzip_stream import Packing
from medvision.volumes.side_files import is_pattern, named_files, numbered_names
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.units import LENGTH_UNITS, unit_mm
from medvision.volumes.volume import SpacingSource
from medvision.volumes.voxel_files import VoxelFiles, read_voxels

_RAS_SIGNS: dict[str, tuple[int, int, int]] = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
"""Signs that turn a space's axes into RAS+, by the space's name in lower case."""

_NO_UNIT = frozenset({"", "???", "none"})
"""Words that state no unit: Teem writes ??? for unknown."""

_TYPE_NAMES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_DTYPES = {name: kind for kind, names in _TYPE_NAMES.items() for name in names.split(", ")}
_PACKINGS: dict[str, Packing | Literal["text"]] = {
    "raw": "raw",
    "gzip": "deflate",
    "gz": "deflate",
    "bzip2": "bzip2",
    "bz2": "bzip2",
    "text": "text",
    "txt": "text",
    "ascii": "text",
}
_BYTE_ORDERS = {"little": "<", "big": ">"}

_HEADER_BYTES = 1 << 22
"""More than any segmentation's header: what follows an attached one is voxels."""
_DATA_FILE = re.compile(r"data ?file *: *(.*)", re.IGNORECASE)
_PATTERN = re.compile(r"(\S+) +(-?\d{1,9}) +(-?\d{1,9}) +(-?\d{1,9})(?: +\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NrrdHeader:
    """A header whose fields pynrrd has read.

    Attributes:
        path: The file.
        fields: By name.
        end: Bytes of the file before what follows the header.
        names: Of data files as the header writes them, if it is detached; a pattern is one.
    """

    path: Path
    fields: dict[str, Any]
    end: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axes:
    """The spatial axes of a file.

    Attributes:
        index: Of each spatial axis among the stored axes.
        columns_mm: (3, 2 or 3), displacement of one step along each spatial axis.
        origin_mm: (3,), of the first voxel's centre.
        unit_mm: Millimetres per unit of the file.
        oriented: Whether the columns are in RAS+.
    """

    index: tuple[int, ...]
    columns_mm: FloatArray
    origin_mm: FloatArray
    unit_mm: float
    oriented: bool


def open_nrrd(path: Path, options: ReadOptions) -> StoredImage:
    """An NRRD image, 2D or 3D, with geometry turned from its own space to RAS+.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    header = read_header(path)
    axes = spatial_axes(path, header.fields)
    voxels = voxel_files(header)
    shape = tuple(voxels.sizes[axis] for axis in axes.index)
    flags = () if axes.unit_mm == 1.0 else ("units_converted",)
    if len(shape) == 2:
        found = None
        x_mm, y_mm = np.linalg.norm(axes.columns_mm, axis=0)
        if np.isfinite([x_mm, y_mm]).all():
            found = NativeSpacing(spacing_y_mm=y_mm, spacing_x_mm=x_mm, source=SpacingSource.HEADER)
        spacing = native_spacing(path, options, found)
        return StoredImage(
            path=path,
            shape=shape[::-1],
            affine=spacing.affine,
            spacing_source=spacing.source,
            flags=(*flags, *spacing.flags),
            load=lambda: read_voxels(voxels).reshape(shape, order="F").T,
        )
    affine = np.eye(4)
    affine[:3, :3] = axes.columns_mm
    affine[:3, 3] = axes.origin_mm
    check_axes(affine, item=str(path))
    # Directions in a space of no name ("scanner-xyz", or none) say lengths and nothing else.
    if not axes.oriented:
        affine = np.diag([*np.linalg.norm(axes.columns_mm, axis=0), 1.0])
    return StoredImage(
        path=path,
        shape=shape,
        affine=affine,
        spacing_source=SpacingSource.HEADER,
        orientation_known=axes.oriented,
        flags=flags,
        load=lambda: read_voxels(voxels).reshape(shape, order="F"),
    )


def data_files(path: Path) -> tuple[Path, ...]:
    """Files with the voxels of a detached header; none if they follow it.

    Raises:
        ItemError: The header cannot be understood, or names files that are not there.
    """
    return _data_files(read_header(path))


def read_header(path: Path) -> NrrdHeader:
    """The header, with the fields checked that every file needs.

    Raises:
        NotAnImageError: No NRRD file.
        BadHeaderError: A field is missing or cannot be understood.
    """
    lines: list[str] = []
    names: tuple[str, ...] = ()
    with path.open("rb") as file:
        if file.read(4) != b"NRRD":
            msg = f"{path}: not an NRRD file: it does not start with NRRD"
            raise NotAnImageError(msg)
        file.seek(0)
        while (line := file.readline(_HEADER_BYTES)).strip() and file.tell() <= _HEADER_BYTES:
            text = _decoded(line).rstrip()
            stated = _DATA_FILE.fullmatch(text)
            if stated is None:
                lines.append(text)
            elif re.fullmatch(r"LIST( +\d+)?", stated[1]):
                # The header ends here: what follows are names, to the end of the file.
                rest = _decoded(file.read(_HEADER_BYTES)).splitlines()
                names = tuple(name.strip() for name in rest if name.strip())
                break
            else:
                names = (stated[1],)
        end = file.tell()
    try:
        with np.errstate(invalid="ignore"):  # a size beyond 64 bits becomes a negative one
            fields = dict(nrrd.read_header(lines))
    except (nrrd.NRRDError, ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        msg = f"{path}: the NRRD header cannot be understood ({error}); save the file anew"
        raise BadHeaderError(msg) from error
    missing = {"dimension", "type", "encoding", "sizes"} - set(fields)
    if missing or len(fields["sizes"]) != fields["dimension"] or (fields["sizes"] < 1).any():
        msg = (
            f"{path}: expected dimension, type, encoding and positive sizes in the NRRD header, "
            f"found {sorted(fields)[:30]} with sizes {fields.get('sizes')}"
        )
        raise BadHeaderError(msg)
    return NrrdHeader(path=path, fields=fields, end=end, names=names)


def _decoded(line: bytes) -> str:
    """ASCII by the format; writers put units and names in as UTF-8 or as Latin-1 all the same."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def voxel_files(header: NrrdHeader) -> VoxelFiles:
    """Where the voxels of a header are, and in what form.

    Raises:
        ItemError: A form that is not read here, or data files that are not there.
    """
    path, fields = header.path, header.fields
    kind, encoding = str(fields["type"]).lower(), str(fields["encoding"]).lower()
    if kind not in _DTYPES:
        msg = (
            f"{path}: expected one integer or float of up to 64 bits a voxel, found NRRD type "
            f"{kind[:40]!r}"
        )
        raise UnsupportedPixelsError(msg)
    if encoding not in _PACKINGS:
        msg = (
            f"{path}: expected an NRRD encoding of {', '.join(_PACKINGS)}, found "
            f"{encoding[:40]!r}, which is not read here; save it as gzip"
        )
        raise UnsupportedFormatError(msg)
    dtype, packing = np.dtype(_DTYPES[kind]), _PACKINGS[encoding]
    order = str(fields.get("endian", "")).lower()
    if dtype.itemsize > 1 and packing != "text":
        if order not in _BYTE_ORDERS:
            msg = f"{path}: expected endian little or big in the NRRD header, found {order[:40]!r}"
            raise BadHeaderError(msg)
        dtype = dtype.newbyteorder("<" if order == "little" else ">")
    files = _data_files(header)
    n_lines = fields.get("line skip", fields.get("lineskip", 0))
    n_bytes = fields.get("byte skip", fields.get("byteskip", 0))
    # By the definition, -1 ("they are the last ones") is for raw data only.
    if n_lines < 0 or n_bytes < (-1 if packing == "raw" else 0):
        msg = (
            f"{path}: expected line skip and byte skip from 0, or byte skip -1 with encoding raw, "
            f"found {n_lines} and {n_bytes} with {encoding}; repair the header"
        )
        raise BadHeaderError(msg)
    at_the_end = n_bytes == -1
    return VoxelFiles(
        header=path,
        files=files or (path,),
        packing=packing,
        dtype=dtype,
        sizes=tuple(int(n) for n in fields["sizes"]),
        packed_from=-1 if at_the_end else 0 if files else header.end,
        # Lines are skipped before a stream, bytes in what it unpacks to.
        skip_lines=0 if at_the_end else n_lines,
        skip_bytes=max(n_bytes, 0),
    )


def _data_files(header: NrrdHeader) -> tuple[Path, ...]:
    """Data files of a detached header: one, those of a list, or those of a pattern."""
    names = header.names
    match = _PATTERN.fullmatch(names[0]) if len(names) == 1 else None
    if match is not None and is_pattern(match[1]):
        first, last, step = (int(match[n]) for n in (2, 3, 4))
        ends = last + (1 if step > 0 else -1)
        names = numbered_names(match[1], range(first, ends, step or 1), header.path)
    return named_files(header.path, names)


def spatial_axes(path: Path, header: dict[str, Any]) -> _Axes:
    """Which stored axes are spatial, and their steps in RAS+ mm.

    A colour or time axis has the direction "none" and must be of size 1.
    """
    directions = _directions(path, header)
    sizes = header["sizes"]
    spatial = [a for a in range(len(sizes)) if np.isfinite(directions[a]).all()]
    if not spatial:  # nothing says: all of them, and the spacing is found missing below
        spatial = list(range(len(sizes)))
    index = [a for n, a in enumerate(spatial) if n < 3 or sizes[a] != 1]
    dropped = set(range(len(sizes))) - set(index)
    if len(index) not in (2, 3) or any(sizes[a] != 1 for a in dropped):
        msg = (
            f"{path}: expected a 2D image or a 3D volume of one number a voxel, found sizes "
            f"{tuple(int(n) for n in sizes)} with {len(spatial)} spatial axes; split it first"
        )
        raise DimensionsError(msg)
    columns = directions[index].T
    if len(index) == 3 and not np.isfinite(columns).all():
        msg = f"{path}: the NRRD header has neither space directions nor spacings; add them"
        raise MissingSpacingError(msg)
    signs = _RAS_SIGNS.get(str(header.get("space", "")).lower())
    origin = np.asarray(header.get("space origin", np.zeros(3)), dtype=np.float64)
    if origin.shape != (3,) or not np.isfinite(origin).all():
        origin = np.zeros(3)
    if "space directions" in header:
        words = header.get("space units", [])
    else:
        words = [word for axis, word in enumerate(header.get("units", [])) if axis in index]
    units = {str(word).strip() for word in words}
    units -= {word for word in units if word.lower() in _NO_UNIT}
    lengths_mm = {unit_mm(word) for word in units} or {1.0}
    unit = lengths_mm.pop()
    if unit is None or lengths_mm:
        msg = (
            f"{path}: expected one unit of length of {', '.join(LENGTH_UNITS)} in the NRRD header, "
            f"found {', '.join(sorted(units))}; name it so"
        )
        raise BadHeaderError(msg)
    turn = np.array(signs or (1, 1, 1))
    return _Axes(
        index=tuple(index),
        columns_mm=columns * turn[:, None] * unit,
        origin_mm=origin * turn * unit,
        unit_mm=unit,
        oriented=signs is not None and "space directions" in header,
    )


def _directions(path: Path, header: dict[str, Any]) -> FloatArray:
    """(axes, 3): one step along each stored axis, in the file's space and unit; NaN if none."""
    n_axes = int(header["dimension"])
    found = np.full((n_axes, 3), np.nan)
    if "space directions" in header:
        stated = np.atleast_2d(np.asarray(header["space directions"], dtype=np.float64))
        if stated.shape[0] != n_axes or stated.shape[1] > 3:
            msg = f"{path}: {n_axes} axes, but space directions of shape {stated.shape}"
            raise BadHeaderError(msg)
        found[:, : stated.shape[1]] = stated
        # A 2D space has no third coordinate; a "none" axis, NaN in pynrrd, stays one.
        found[np.isfinite(stated).all(axis=1), stated.shape[1] :] = 0.0
    elif "spacings" in header:
        spacings = np.asarray(header["spacings"], dtype=np.float64)
        if spacings.shape != (n_axes,):
            msg = f"{path}: {n_axes} axes, but {spacings.size} spacings"
            raise BadHeaderError(msg)
        if (spacings <= 0).any():
            msg = f"{path}: expected positive NRRD spacings, found {spacings}; repair the header"
            raise InvalidSpacingError(msg)
        spatial = np.flatnonzero(np.isfinite(spacings))[:3]
        found[spatial] = np.eye(3)[: len(spatial)] * spacings[spatial, None]
    return found

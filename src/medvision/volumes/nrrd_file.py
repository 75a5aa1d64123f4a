"""NRRD: attached .nrrd and detached .nhdr, through pynrrd.

What fields mean is read from Teem's definition of the format (teem.sourceforge.net/nrrd/format).
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrrd
import numpy as np

from medvision.frames import FloatArray
from medvision.volumes.canonical import check_axes
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    InvalidSpacingError,
    MissingFileError,
    MissingSpacingError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedPixelsError,
)
from medvision.volumes.gzip_stream import first_bytes
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.volume import SpacingSource, VoxelArray

SUFFIXES = (".nrrd", ".nhdr")

_RAS_SIGNS: dict[str, tuple[int, int, int]] = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
"""Signs that turn a space's axes into RAS+, by the space's name in lower case."""

_UNIT_MM = {
    "": 1.0,
    "mm": 1.0,
    "millimeter": 1.0,
    "millimeters": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "um": 1e-3,
    "µm": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axes:
    """The spatial axes of a file.

    Attributes:
        index: Of each spatial axis among the stored axes.
        columns_mm: (3, 2 or 3), displacement of one step along each spatial axis.
        origin_mm: (3,), of the first voxel's centre.
        oriented: Whether the columns are in RAS+.
    """

    index: tuple[int, ...]
    columns_mm: FloatArray
    origin_mm: FloatArray
    oriented: bool


def open_nrrd(path: Path, options: ReadOptions) -> StoredImage:
    """An NRRD image, 2D or 3D, with geometry turned from its own space to RAS+.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    header = read_header(path)
    axes = spatial_axes(path, header)
    shape = tuple(int(header["sizes"][axis]) for axis in axes.index)
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
            flags=spacing.flags,
            load=lambda: stored_voxels(path, header, shape).T,
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
        load=lambda: stored_voxels(path, header, shape),
    )


def read_header(path: Path) -> dict[str, Any]:
    """Fields of the header, those that every file needs checked."""
    if first_bytes(path, 4) != b"NRRD":
        msg = f"{path}: not an NRRD file: it does not start with NRRD"
        raise NotAnImageError(msg)
    try:
        header = dict(nrrd.read_header(str(path)))
    except (nrrd.NRRDError, ValueError, KeyError, IndexError, TypeError) as error:
        msg = f"{path}: the NRRD header cannot be understood ({error}); repair it"
        raise BadHeaderError(msg) from error
    missing = {"dimension", "type", "encoding", "sizes"} - set(header)
    if missing or len(header["sizes"]) != header["dimension"] or (header["sizes"] < 1).any():
        msg = (
            f"{path}: expected dimension, type, encoding and positive sizes in the NRRD header, "
            f"found {sorted(header)} with sizes {header.get('sizes')}"
        )
        raise BadHeaderError(msg)
    if header["type"] == "block":
        msg = f"{path}: expected one number a voxel, found NRRD type block"
        raise UnsupportedPixelsError(msg)
    return header


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
    stated = header.get("space units" if "space directions" in header else "units", [])
    units = {str(unit).strip().lower() for unit in stated} - {"", "???", "none"}
    if len(units) > 1 or not units <= set(_UNIT_MM):
        msg = f"{path}: expected one length unit of {sorted(_UNIT_MM)[1:]}, found {sorted(units)}"
        raise BadHeaderError(msg)
    unit_mm = _UNIT_MM[units.pop()] if units else 1.0
    turn = np.array(signs or (1, 1, 1))
    return _Axes(
        index=tuple(index),
        columns_mm=columns * turn[:, None] * unit_mm,
        origin_mm=origin * turn * unit_mm,
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


def stored_voxels(path: Path, header: dict[str, Any], shape: tuple[int, ...]) -> VoxelArray:
    """Voxels of a shape that is the stored one but for axes of size 1, in the machine's order."""
    expected = f"{path}: expected {tuple(int(n) for n in header['sizes'])} of {header['type']}"
    try:
        # "F": first axis fastest, as the file counts them; pynrrd would turn them round by "C".
        array, _ = nrrd.read(str(path), index_order="F")
    except FileNotFoundError as error:
        msg = f"{path}: its data file {error.filename} is missing; keep header and data together"
        raise MissingFileError(msg) from error
    except (nrrd.NRRDError, ValueError, KeyError, TypeError) as error:
        msg = f"{expected}, the data does not give that ({error}); fetch the file again"
        raise TruncatedFileError(msg) from error
    except (zlib.error, OSError, EOFError) as error:
        msg = f"{expected}, the data is damaged ({error}); fetch the file again"
        raise CorruptFileError(msg) from error
    voxels: VoxelArray = array.reshape(shape, order="F")
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)

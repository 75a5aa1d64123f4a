"""MetaImage (.mha, .mhd) through SimpleITK; its world is LPS."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from medvision.extras import require
from medvision.frames import FloatArray
from medvision.volumes.errors import (
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

SUFFIXES = (".mha", ".mhd")

LPS_TO_RAS: FloatArray = np.diag([-1.0, -1.0, 1.0, 1.0])
"""ITK's and DICOM's world to ours; its own inverse."""

_HEADER_BYTES = 1 << 16
"""The header has no stated length and is followed by voxels: this much is searched for its end."""

_ENTRY = re.compile(r"^\s*([^=]+?)\s*=\s*(.*?)\s*$")


def open_metaimage(path: Path, options: ReadOptions) -> StoredImage:
    """A MetaImage, 2D or 3D.

    ITK reads an absent or zero spacing as 1 mm, so the text header is judged first. Axes are LPS
    whatever `AnatomicalOrientation` says: ITK does not apply it.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    entries = _text_header(path)
    spacing = _stated_spacing(path, entries)
    reader = _reader(path)
    shape = tuple(int(n) for n in reader.GetSize())
    if len(shape) not in (2, 3) and any(n != 1 for n in shape[3:]):
        msg = f"{path}: expected a 2D image or a 3D volume, found shape {shape}; split it first"
        raise DimensionsError(msg)
    if reader.GetNumberOfComponents() != 1:
        n_channels = reader.GetNumberOfComponents()
        msg = f"{path}: expected one number a voxel, found {n_channels} channels"
        raise UnsupportedPixelsError(msg)
    if len(shape) == 2:
        found = None
        if spacing is not None:
            x_mm, y_mm = spacing
            found = NativeSpacing(spacing_y_mm=y_mm, spacing_x_mm=x_mm, source=SpacingSource.HEADER)
        native = native_spacing(path, options, found)
        return StoredImage(
            path=path,
            shape=shape[::-1],
            affine=native.affine,
            spacing_source=native.source,
            flags=native.flags,
            load=lambda: _voxels(path).T,
        )
    if spacing is None:
        msg = f"{path}: the MetaImage header has no ElementSpacing; add it"
        raise MissingSpacingError(msg)
    n_axes = len(shape)
    direction = np.array(reader.GetDirection()).reshape(n_axes, n_axes)[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(reader.GetSpacing())[:3]
    affine[:3, 3] = reader.GetOrigin()[:3]
    return StoredImage(
        path=path,
        shape=shape[:3],
        affine=LPS_TO_RAS @ affine,
        spacing_source=SpacingSource.HEADER,
        load=lambda: _voxels(path).reshape(shape[:3], order="F"),
    )


def _text_header(path: Path) -> dict[str, str]:
    entries: dict[str, str] = {}
    for line in first_bytes(path, _HEADER_BYTES).decode("latin-1").split("\n"):
        match = _ENTRY.match(line)
        if match is None:
            continue
        entries[match[1]] = match[2]
        if match[1] == "ElementDataFile":
            break
    if not {"NDims", "DimSize", "ElementDataFile"} <= set(entries):
        msg = f"{path}: not a MetaImage: NDims, DimSize and ElementDataFile do not lead the file"
        raise NotAnImageError(msg)
    # LOCAL: the voxels follow; LIST: file names follow; with a %: a pattern of file names.
    data = entries["ElementDataFile"].split()[0] if entries["ElementDataFile"] else ""
    detached = data.upper() not in ("LOCAL", "LIST") and "%" not in data
    if detached and not path.with_name(entries["ElementDataFile"]).is_file():
        msg = f"{path}: its data file {entries['ElementDataFile']} is missing; keep them together"
        raise MissingFileError(msg)
    return entries


def _stated_spacing(path: Path, entries: dict[str, str]) -> list[float] | None:
    # ElementSize is the extent of a voxel. ITK takes it where ElementSpacing is absent.
    stated = entries.get("ElementSpacing", entries.get("ElementSize"))
    if stated is None:
        return None
    try:
        spacing = [float(word) for word in stated.split()]
    except ValueError:
        spacing = []
    n_axes = len(entries["DimSize"].split())
    if len(spacing) != n_axes or not all(np.isfinite(s) and s > 0 for s in spacing):
        msg = f"{path}: expected {n_axes} positive numbers as ElementSpacing, found '{stated}'"
        raise InvalidSpacingError(msg)
    return spacing


def _reader(path: Path) -> Any:
    sitk = require("SimpleITK", "formats", item=str(path))
    # ITK writes its warnings past Python's logging, straight to standard error.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # noqa: FBT003 - a foreign signature
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        msg = f"{path}: the MetaImage header cannot be understood; repair it"
        raise CorruptFileError(msg) from error
    return reader


def _voxels(path: Path) -> VoxelArray:
    """Voxels [i, j, k]: ITK's arrays run the other way."""
    sitk = require("SimpleITK", "formats", item=str(path))
    try:
        image = _reader(path).Execute()
    except RuntimeError as error:
        msg = f"{path}: ITK cannot read the voxels the header announces; fetch the file again"
        raise TruncatedFileError(msg) from error
    voxels: VoxelArray = sitk.GetArrayFromImage(image).T
    return voxels

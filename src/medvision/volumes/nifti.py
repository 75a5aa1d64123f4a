"""NIfTI-1 and NIfTI-2: single files, gzipped files, and .hdr/.img pairs.

Fields, codes and magic words are those of `nifti1.h` and `nifti2.h` (nifti.nimh.nih.gov).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np

from medvision.errors import ItemError
from medvision.volumes.errors import (
    BadHeaderError,
    DimensionsError,
    MissingFileError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedFormatError,
    UnsupportedPixelsError,
)
from medvision.volumes.gzip_stream import first_bytes, voxel_bytes
from medvision.volumes.nifti_affine import AffineFields, chosen_affine
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.suffixes import NIFTI_PAIR, ending
from medvision.volumes.volume import VoxelArray

_HEADERS: dict[int, Callable[..., Any]] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
"""Header class by `sizeof_hdr`."""
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""NumPy type by datatype code; colour, complex, 1-bit and 128-bit voxels are not read."""
_SINGLE_MAGIC, _PAIR_MAGIC = (b"n+1", b"n+2"), (b"ni1", b"ni2")
_LONGEST_HEADER = 540
_EXTENSION_FLAG = 4
_MOST_EXTENSION_BYTES = 1 << 22
_UNIT_MASK = 0x07  # the bits above are the unit of time
_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres per spatial unit of `xyzt_units`: metre, millimetre, micron; any other is mm."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Header:
    """A raw header that passed the checks of its form."""

    path: Path
    fields: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    slope_and_inter: tuple[float, float] | None
    data_path: Path
    data_offset: int


def open_nifti(path: Path, options: ReadOptions) -> StoredImage:
    """A NIfTI image, 2D or 3D, with its header read unchecked.

    Libraries repair headers silently (pixdim 0 becomes 1, negative ones lose their sign), which
    hides what must be refused; so the fields are taken as stored and judged here.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    header = _read_header(path, options.frame)
    unit_mm = _UNIT_MM.get(int(header.fields["xyzt_units"]) & _UNIT_MASK, 1.0)
    flags = () if unit_mm == 1.0 else ("units_converted",)
    scaled = header.slope_and_inter is not None
    if len(header.shape) == 2:
        spacing = native_spacing(path, options, _stated_spacing(header, options, unit_mm))
        return StoredImage(
            path=path,
            shape=header.shape[::-1],  # the file's first axis is x, its second y
            affine=spacing.affine,
            spacing_source=spacing.source,
            flags=(*flags, *spacing.flags),
            scaled=scaled,
            load=lambda: _voxels(header).T,
        )
    if options.like is not None:  # which is often why another geometry is taken: this one is odd
        return StoredImage(
            path=path,
            shape=header.shape,
            affine=np.eye(4),
            spacing_source=options.like.spacing_source,
            scaled=scaled,
            load=lambda: _voxels(header),
        )
    choice = chosen_affine(_affine_fields(header), spacing_from=options.spacing_from)
    affine = choice.affine.copy()
    affine[:3] *= unit_mm
    return StoredImage(
        path=path,
        shape=header.shape,
        affine=affine,
        spacing_source=choice.source,
        orientation_known=choice.orientation_known,
        flags=flags,
        scaled=scaled,
        load=lambda: _voxels(header),
    )


def frame_count(path: Path) -> int:
    """How many volumes a file holds one after the other; 1 of a file of one volume.

    Raises:
        ItemError: The header cannot be understood, or has five axes or more.
    """
    sizes = _read_header(path, frame=0).fields["dim"]
    return math.prod(int(n) for n in sizes[4 : int(sizes[0]) + 1])


def _read_header(path: Path, frame: int | None = None) -> _Header:
    """The raw header of a file or of a pair, its form judged field by field.

    With a frame of a 4D file, the header is that of the frame alone.
    """
    header_path, data_path = _pair_paths(path)
    block = first_bytes(header_path, _LONGEST_HEADER)
    sizes = {int.from_bytes(block[:4], order) for order in ("little", "big")} & set(_HEADERS)
    if len(block) < 4 or not sizes:
        msg = f"{header_path}: not a NIfTI file: its first four bytes give no NIfTI header size"
        raise NotAnImageError(msg)
    size = sizes.pop()
    if len(block) < size:
        msg = (
            f"{header_path}: expected a header of {size} bytes, found {len(block)}; fetch it again"
        )
        raise TruncatedFileError(msg)
    fields = _HEADERS[size](block[:size], check=False).structarr
    magic = bytes(fields["magic"])[:3]
    if magic not in (*_SINGLE_MAGIC, *_PAIR_MAGIC):
        msg = (
            f"{header_path}: no NIfTI magic (found {magic!r}); convert ANALYZE 7.5 files to NIfTI "
            "first"
        )
        raise UnsupportedFormatError(msg)
    pair = magic in _PAIR_MAGIC
    if pair and data_path == header_path:
        msg = f"{path}: a .nii file with the magic of a .hdr/.img pair; rename it to .hdr"
        raise NotAnImageError(msg)
    shape, dtype, slope_and_inter = _voxel_form(header_path, fields, frame)
    # In a single file four bytes, the extension flag, lie between header and voxels: 352. Files
    # without the flag (348) are let pass, and a vox_offset that was never set (0) is taken as 352.
    offset, least = float(fields["vox_offset"]), 0 if pair else size + _EXTENSION_FLAG
    if offset != 0 and (not math.isfinite(offset) or offset < min(least, size)):
        msg = f"{header_path}: expected voxels from byte {least} on, found vox_offset {offset}"
        raise BadHeaderError(msg)
    return _Header(
        path=path,
        fields=fields,
        shape=shape,
        dtype=dtype,
        slope_and_inter=slope_and_inter,
        data_path=data_path if pair else header_path,
        # The last axis is the slowest: frames lie one after the other.
        data_offset=(int(offset) or least) + (frame or 0) * math.prod(shape) * dtype.itemsize,
    )


def extension_bytes(path: Path) -> bytes:
    """What stands between a header and its voxels in one file; the first megabytes of it.

    Raises:
        ItemError: The header cannot be understood.
    """
    header = _read_header(path)
    return first_bytes(path, min(header.data_offset, _MOST_EXTENSION_BYTES))[348:]


def pair_files(path: Path) -> tuple[Path, ...]:
    """The other half of a .hdr/.img pair.

    Raises:
        MissingFileError: It is not there.
    """
    return tuple(half for half in _pair_paths(path) if half != path)


def _pair_paths(path: Path) -> tuple[Path, Path]:
    """Header and data file of a .hdr/.img pair; of any other file, itself twice.

    The other half lies beside a file, or, where that is a link, beside what it points to.
    """
    suffix = ending(path.name, NIFTI_PAIR)
    if suffix is None:
        return path, path
    found: list[Path] = []
    for kind in (".hdr", ".img"):
        halves = [path] if kind in suffix else _other_halves(path, kind)
        present = [half for half in halves if half.is_file()]
        if len({half.suffix == ".gz" for half in present}) > 1:  # which one is of this header?
            msg = f"{path}: expected one {kind} file beside it, found {present[0].name} and a .gz"
            raise UnsupportedFormatError(msg)
        if not present:
            msg = f"{path}: half of a .hdr/.img pair; expected {halves[0].name} beside it"
            raise MissingFileError(msg)
        found.append(present[0])
    return found[0], found[1]


def _other_halves(path: Path, kind: str) -> list[Path]:
    """Where the half of a kind may be."""
    halves = []
    for place in dict.fromkeys((path, path.resolve())):
        suffix = ending(place.name, NIFTI_PAIR)
        if suffix is not None:
            stem = place.name[: -len(suffix)]
            names = [stem + end for end in (kind, kind.upper(), kind + ".gz")]
            halves += [place.with_name(name) for name in names]
    return halves


def _voxel_form(
    path: Path, fields: Any, frame: int | None
) -> tuple[tuple[int, ...], np.dtype[Any], tuple[float, float] | None]:
    """Sizes without singleton axes beyond the third, stored type, slope and intercept or None."""
    n_axes = int(fields["dim"][0])
    if not 1 <= n_axes <= 7:
        msg = f"{path}: expected 1 to 7 axes, found dim[0] = {n_axes}"
        raise BadHeaderError(msg)
    sizes = tuple(int(n) for n in fields["dim"][1 : n_axes + 1])
    if any(n < 1 for n in sizes):
        msg = f"{path}: expected at least one voxel along each axis, found shape {sizes}"
        raise BadHeaderError(msg)
    if frame is not None and not (
        n_axes > 2 and max(sizes[3:], default=1) == math.prod(sizes[3:]) > frame
    ):
        msg = f"{path}: expected four axes, the last of more than {frame}, found shape {sizes}"
        raise DimensionsError(msg)
    if frame is None and (n_axes < 2 or any(n != 1 for n in sizes[3:])):
        msg = (
            f"{path}: expected a 2D image or a 3D volume, found shape {sizes}; split it first, or "
            "declare `channel` or `frames`"
        )
        raise DimensionsError(msg)
    code = int(fields["datatype"])
    if code not in _DTYPES:
        msg = (
            f"{path}: expected one integer or float of up to 64 bits a voxel, found NIfTI datatype "
            f"code {code}"
        )
        raise UnsupportedPixelsError(msg)
    byte_order: Literal["<", ">", "=", "|"] = fields.dtype["dim"].base.byteorder
    dtype = np.dtype(_DTYPES[code]).newbyteorder(byte_order)
    slope, inter = float(fields["scl_slope"]), float(fields["scl_inter"])
    # nifti1.h: a slope of 0 means unscaled. Writers that know no slope leave NaN.
    if slope == 0 or not math.isfinite(slope) or (slope, inter) == (1.0, 0.0):
        return sizes[:3], dtype, None
    if not math.isfinite(inter):
        msg = f"{path}: scl_slope is {slope}, but scl_inter is {inter}; repair the header"
        raise BadHeaderError(msg)
    return sizes[:3], dtype, (slope, inter)


def _stated_spacing(header: _Header, options: ReadOptions, unit_mm: float) -> NativeSpacing | None:
    """Pixel size of a 2D image; None where the header's is unusable and the caller states one."""
    try:
        choice = chosen_affine(_affine_fields(header), spacing_from=options.spacing_from)
    except ItemError:
        if options.spacing_mm is None:
            raise
        return None
    x_mm, y_mm = np.linalg.norm(choice.affine[:3, :2], axis=0) * unit_mm
    return NativeSpacing(spacing_y_mm=float(y_mm), spacing_x_mm=float(x_mm), source=choice.source)


def _affine_fields(header: _Header) -> AffineFields:
    fields, n_axes = header.fields, len(header.shape)
    pixdim = np.ones(3)
    pixdim[:n_axes] = fields["pixdim"][1 : n_axes + 1]
    sform = np.eye(4)
    sform[:3] = [fields["srow_x"], fields["srow_y"], fields["srow_z"]]
    return AffineFields(
        item=str(header.path),
        n_axes=n_axes,
        pixdim=pixdim,
        qfac=-1.0 if fields["pixdim"][0] < 0 else 1.0,  # 0 means 1, by nifti1.h
        sform_code=int(fields["sform_code"]),
        sform=sform,
        qform_code=int(fields["qform_code"]),
        quaternion_bcd=np.array([fields[f"quatern_{axis}"] for axis in "bcd"], dtype=np.float64),
        qoffset=np.array([fields[f"qoffset_{axis}"] for axis in "xyz"], dtype=np.float64),
    )


def _voxels(header: _Header) -> VoxelArray:
    """Voxels in stored order and native byte order; scaled if the header says so."""
    count = math.prod(header.shape) * header.dtype.itemsize
    # Unpacked straight into the array that becomes the voxels: no copy of a CT in between.
    raw = voxel_bytes(header.data_path, start=header.data_offset, count=count)
    stored: VoxelArray = raw.view(header.dtype).reshape(header.shape, order="F")
    stored = stored.astype(header.dtype.newbyteorder("="), copy=False)
    if header.slope_and_inter is None:
        return stored
    return scaled_values(stored, *header.slope_and_inter)


def scaled_values(stored: VoxelArray, slope: float, inter: float) -> VoxelArray:
    """Stored × slope + inter: float32 for up to 16-bit integers and float32, else float64.

    float32 holds all 16-bit integers and halves the memory of a CT; a 32-bit integer may need more.

    Example:
        >>> scaled_values(np.array([0, 100], dtype=np.int16), 2.0, -1024.0)
        array([-1024.,  -824.], dtype=float32)
    """
    small = stored.dtype.itemsize <= 2 or stored.dtype == np.float32
    values: VoxelArray = stored.astype(np.float32 if small else np.float64)
    values *= slope
    values += inter
    return values

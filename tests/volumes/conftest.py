"""Hand-built NIfTI files: header bytes packed from the published layout, not by a library."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

DATATYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "c8": 32}


def nifti1_bytes(
    array: np.ndarray,
    *,
    pixdim=(1.0, 1.0, 1.0),
    qfac=1.0,
    sform=None,
    sform_code=1,
    quaternion=None,
    qoffset=(0.0, 0.0, 0.0),
    qform_code=1,
    xyzt_units=2,
    slope=0.0,
    inter=0.0,
    dim=None,
    vox_offset=352.0,
    magic=b"n+1\0",
    byte_order="<",
) -> bytes:
    """A NIfTI-1 header (348 bytes) from raw field values."""
    sizes = dim or (array.ndim, *array.shape)
    header = bytearray(348)
    order = byte_order

    def put(layout: str, offset: int, *values) -> None:
        struct.pack_into(order + layout, header, offset, *values)

    put("i", 0, 348)
    put("8h", 40, *(*sizes, *(1,) * (8 - len(sizes))))
    put("h", 70, DATATYPES[array.dtype.str[1:]])
    put("h", 72, array.dtype.itemsize * 8)
    put("8f", 76, *(qfac, *pixdim, *(1.0,) * (7 - len(pixdim))))
    put("3f", 108, vox_offset, slope, inter)
    put("B", 123, xyzt_units)
    put("h", 252, 0 if quaternion is None else qform_code)
    put("h", 254, 0 if sform is None else sform_code)
    put("3f", 256, *(quaternion if quaternion is not None else (0.0, 0.0, 0.0)))
    put("3f", 268, *qoffset)
    rows = np.zeros((3, 4)) if sform is None else np.asarray(sform)[:3]
    put("12f", 280, *rows.ravel())
    struct.pack_into("4s", header, 344, magic)
    return bytes(header)


@pytest.fixture
def nifti_header() -> Callable[..., bytes]:
    return nifti1_bytes


@pytest.fixture
def write_nifti(tmp_path: Path) -> Callable[..., Path]:
    """Writes an array with raw header fields; gzipped if the name ends in .gz."""

    def write(array: np.ndarray, name: str = "image.nii", **fields) -> Path:
        order = fields.get("byte_order", "<")
        data = array.astype(array.dtype.newbyteorder(order)).tobytes(order="F")
        content = nifti1_bytes(array, **fields) + bytes(4) + data
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def voxels() -> np.ndarray:
    """A small volume without any symmetry: every voxel differs."""
    return np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)

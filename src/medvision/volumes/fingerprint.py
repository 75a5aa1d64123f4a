"""A hash of canonical voxels, to find the same scan in two datasets."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.volumes.errors import UnsupportedPixelsError
from medvision.volumes.labels import blocks
from medvision.volumes.volume import VoxelArray

_STRIP_ROWS = 16

_INTEGERS: tuple[type[np.integer[Any]], ...] = (
    np.uint8,
    np.int8,
    np.uint16,
    np.int16,
    np.uint32,
    np.int32,
    np.uint64,
    np.int64,
)


def volume_fingerprint(array: VoxelArray) -> str:
    """SHA-256 of shape and values, whatever dtype or memory order holds them.

    Values are hashed in the narrowest type that holds all of them exactly, so an int16 scan and
    its float64 copy have one fingerprint; canonical arrays make storage order irrelevant.

    Args:
        array: Canonical voxels, (I, J, K), or (Y, X) of a 2D image.

    Returns:
        64 hexadecimal digits.

    Raises:
        UnsupportedPixelsError: Values that are not real numbers.
    """
    if array.dtype.kind not in "buif":
        msg = f"a fingerprint needs integers or floats, found {array.dtype}"
        raise UnsupportedPixelsError(msg)
    dtype = np.dtype(narrowest_dtype(array)).newbyteorder("<")
    digest = hashlib.sha256(f"{array.shape} {dtype.str}".encode())
    for _, block in blocks(array):
        values = _with_first_axis_fastest(block, dtype)
        if dtype.kind == "f":
            values += 0.0  # one zero
            values[np.isnan(values)] = np.nan  # one NaN
        digest.update(values.T.data)
    return digest.hexdigest()


def narrowest_dtype(array: npt.NDArray[Any]) -> type[np.generic]:
    """The narrowest of a fixed list of types that holds every value exactly."""
    if array.dtype.kind == "b" or array.size == 0:
        return np.uint8
    if array.dtype.kind == "f" and not _holds_integers(array):
        return np.float32 if _same_in_float32(array) else np.float64
    least, largest = int(array.min()), int(array.max())
    for integer in _INTEGERS:
        limits = np.iinfo(integer)
        if limits.min <= least and largest <= limits.max:
            return integer
    return np.float64


def _with_first_axis_fastest(block: VoxelArray, dtype: np.dtype[Any]) -> VoxelArray:
    """A copy in Fortran order, written in strips that stay in cache whatever the source's order."""
    values: VoxelArray = np.empty(block.shape, dtype, order="F")
    step = block.shape[0] if abs(block.strides[0]) == block.itemsize else _STRIP_ROWS
    for start in range(0, block.shape[0], step):
        values[start : start + step] = block[start : start + step]
    return values


def _holds_integers(array: npt.NDArray[Any]) -> bool:
    limit = 2.0**63
    return all(
        bool(((block == np.rint(block)) & (np.abs(block) < limit)).all())
        for _, block in blocks(array)
    )


def _same_in_float32(array: npt.NDArray[Any]) -> bool:
    if array.dtype.itemsize <= 4:
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return all(
            bool(((block.astype(np.float32) == block) | np.isnan(block)).all())
            for _, block in blocks(array)
        )

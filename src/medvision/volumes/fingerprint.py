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

    Example:
        >>> scan = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
        >>> volume_fingerprint(scan) == volume_fingerprint(np.asfortranarray(scan / 1.0))
        True
    """
    if array.dtype.kind not in "buif":
        msg = f"a fingerprint needs integers or floats, found {array.dtype}"
        raise UnsupportedPixelsError(msg)
    dtype = np.dtype(narrowest_dtype(array)).newbyteorder("<")
    digest = hashlib.sha256(f"{array.shape} {dtype.str}".encode())
    for _, block in blocks(array):
        # A copy in Fortran order, that of NIfTI. Where the source has another one, it is written in
        # strips of rows that stay in cache, else every element would cost a cache line.
        values: VoxelArray = np.empty(block.shape, dtype, order="F")
        step = block.shape[0] if abs(block.strides[0]) == block.itemsize else _STRIP_ROWS
        for start in range(0, block.shape[0], step):
            values[start : start + step] = block[start : start + step]
        if dtype.kind == "f":
            values += 0.0  # one zero: −0.0 + 0.0 is 0.0
            values[np.isnan(values)] = np.nan  # one NaN: their payloads and signs differ
        digest.update(values.T.data)
    return digest.hexdigest()


def narrowest_dtype(array: npt.NDArray[Any]) -> type[np.generic]:
    """The narrowest of a fixed list of types that holds every value exactly.

    Example:
        >>> narrowest_dtype(np.array([-3.0, 200.0])).__name__
        'int16'
        >>> narrowest_dtype(np.array([0.5, 1e300])).__name__
        'float64'
    """
    if array.dtype.kind == "b" or array.size == 0:
        return np.uint8
    if array.dtype.kind == "f":
        whole = all(
            # Below 2^63 every whole float has a place in int64.
            bool(((block == np.rint(block)) & (np.abs(block) < 2.0**63)).all())
            for _, block in blocks(array)
        )
        if not whole and array.dtype.itemsize <= 4:
            return np.float32
        if not whole:
            with np.errstate(over="ignore", invalid="ignore"):
                same = all(
                    bool(((block.astype(np.float32) == block) | np.isnan(block)).all())
                    for _, block in blocks(array)
                )
            return np.float32 if same else np.float64
    least, largest = int(array.min()), int(array.max())
    for integer in _INTEGERS:
        limits = np.iinfo(integer)
        if limits.min <= least and largest <= limits.max:
            return integer
    return np.float64

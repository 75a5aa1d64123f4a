"""Label maps: integers from 0, whatever number type a file keeps them in."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.volumes.errors import LabelValuesError, UnsupportedPixelsError
from medvision.volumes.volume import VoxelArray

SCALED_TOLERANCE = 1e-3
"""How far from an integer a label may lie after a header's slope was applied."""

_MAX_LABEL = np.iinfo(np.int32).max
_BLOCK_VOXELS = 1 << 22


def integer_labels(array: VoxelArray, *, item: str, scaled: bool = False) -> npt.NDArray[Any]:
    """A label map as integers: 8- to 32-bit ones as they are, int32 from any other type.

    Args:
        array: Of any shape; integers, booleans, or floats that hold integers.
        item: The file, for messages.
        scaled: A slope was applied, so rounding may have moved values off their integers.

    Returns:
        Of the same shape; dtype uint8, int8, uint16, int16 or int32, by the dtype given.

    Raises:
        UnsupportedPixelsError: Values that are not real numbers.
        LabelValuesError: A fraction, a negative, a non-finite or a too large value.

    Example:
        >>> integer_labels(np.array([0.0, 2.0]), item="mask.nii")
        array([0, 2], dtype=int32)
    """
    if array.dtype.kind not in "buif":
        msg = f"{item}: expected a label map of integers, found {array.dtype}"
        raise UnsupportedPixelsError(msg)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        return _from_floats(array, item=item, tolerance=SCALED_TOLERANCE if scaled else 0.0)
    if array.size:
        _check_range(int(array.min()), int(array.max()), item)
    # Anything up to 32 signed bits is left as it is: the kernels that follow take these types.
    keep = array.dtype.itemsize < 4 or array.dtype == np.int32
    return array if keep else array.astype(np.int32)


def blocks(array: VoxelArray) -> Iterator[tuple[slice, VoxelArray]]:
    """An array cut along its last axis into pieces of a few megabytes, with their places.

    Whole-array temporaries (a float64 copy, a mask) of a CT would take gigabytes; the last axis is
    the slowest one of most files, so that a piece lies together in memory.

    Example:
        >>> [(place.start, block.shape) for place, block in blocks(np.zeros((2048, 2048, 2)))]
        [(0, (2048, 2048, 1)), (1, (2048, 2048, 1))]
    """
    per_step = max(1, array.size // max(1, array.shape[-1]))
    step = max(1, _BLOCK_VOXELS // per_step)
    for start in range(0, array.shape[-1], step):
        place = slice(start, start + step)
        yield place, array[..., place]


def _from_floats(array: VoxelArray, *, item: str, tolerance: float) -> npt.NDArray[np.int32]:
    labels = np.empty_like(array, dtype=np.int32, subok=False)
    for place, block in blocks(array):
        with np.errstate(invalid="ignore"):
            whole = block.astype(np.int32)
        if not (whole == block).all():  # the slow way round, for files with a slope or a fault
            nearest = np.rint(block)
            with np.errstate(invalid="ignore"):
                wrong = ~(np.abs(block - nearest) <= tolerance)
            if wrong.any():
                msg = (
                    f"{item}: expected whole numbers in a label map, found {block[wrong][0]} and "
                    f"{int(wrong.sum()) - 1} more such values; is this an image or a probability "
                    "map?"
                )
                raise LabelValuesError(msg)
            # Before the conversion: what int32 cannot hold would wrap round into it.
            _check_range(float(nearest.min()), float(nearest.max()), item)
            whole = nearest.astype(np.int32)
        if whole.size:
            _check_range(int(whole.min()), int(whole.max()), item)
        labels[..., place] = whole
    return labels


def _check_range(least: float, largest: float, item: str) -> None:
    if least < 0 or largest > _MAX_LABEL:
        msg = (
            f"{item}: expected labels from 0 to {_MAX_LABEL}, found values from {least:g} to "
            f"{largest:g}; is this an image?"
        )
        raise LabelValuesError(msg)

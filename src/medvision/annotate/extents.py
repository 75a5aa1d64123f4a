"""Labels of a whole mask: how many voxels each has, and its 3D box, in one pass over memory."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medvision.annotate.label_memory import (
    AnyArray,
    LabelArray,
    Memory,
    dense_labels,
    kernel,
    same_until,
    with_room,
)

_COUNT, _BOX = 0, 1

_EMPTY = np.array([0, *[np.iinfo(np.int64).max, 0] * 3])
"""Row of a label without voxels: its box, low and high along three axes, holds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelExtents:
    """Where the labels of a mask lie; arrays of length n, labels ascending, background left out."""

    label_id: npt.NDArray[np.int64]
    voxel_count: npt.NDArray[np.int64]
    box_vox: npt.NDArray[np.int64]
    """(n, 6): half-open i0, j0, k0, i1, j1, k1 on voxel edges."""


def label_extents(label_map: LabelArray) -> LabelExtents:
    """Count and box of every label.

    Args:
        label_map: (I, J, K), integers of 1, 2 or 4 bytes that are not negative, any strides.

    Example:
        >>> label_map = np.zeros((4, 4, 4), dtype=np.uint8)
        >>> label_map[1, 2, 3] = 5
        >>> found = label_extents(label_map)
        >>> found.label_id.tolist(), found.voxel_count.tolist(), found.box_vox.tolist()
        ([5], [1], [[1, 2, 3, 2, 3, 4]])
    """
    labels = dense_labels(label_map)
    shape, strides = labels.array.shape, labels.array.strides
    # As `dense_labels` has it: axes of one voxel first, then by falling stride.
    order = sorted(range(3), key=lambda axis: (shape[axis] > 1, -abs(strides[axis])))
    values, table = _scan(
        labels.memory, labels.row_length, labels.row_extents, max(1, shape[order[1]])
    )
    box_vox = np.empty((len(values), 6), dtype=np.int64)
    for place, axis in enumerate(order):
        low, high = table[:, _BOX + 2 * place], table[:, _BOX + 2 * place + 1]
        flipped = strides[axis] < 0
        box_vox[:, axis] = shape[axis] - high if flipped else low
        box_vox[:, axis + 3] = shape[axis] - low if flipped else high
    return LabelExtents(label_id=values, voxel_count=table[:, _COUNT].copy(), box_vox=box_vox)


@kernel
def _scan(
    memory: Memory, row_length: int, row_extents: AnyArray, n_middle: int
) -> tuple[AnyArray, AnyArray]:
    """Sorted values, and (n, 7) count and half-open bounds along each axis of memory."""
    values = np.empty(16, dtype=np.int64)
    table = np.empty((16, 7), dtype=np.int64)
    n_found, slot = 0, 0
    for row in range(len(row_extents)):
        begin = row * row_length
        at, end = begin + row_extents[row, 0], begin + row_extents[row, 1]
        while at < end:
            stop = same_until(memory, at, end)
            value = int(memory.flat[at])
            if value != 0:
                if slot >= n_found or values[slot] != value:  # most runs are the last one's label
                    slot = int(np.searchsorted(values[:n_found], value))
                    if slot == n_found or values[slot] != value:
                        values = with_room(values, n_found, 1)
                        table = with_room(table, n_found, 1)
                        values[slot + 1 : n_found + 1] = values[slot:n_found].copy()
                        table[slot + 1 : n_found + 1] = table[slot:n_found].copy()
                        values[slot], table[slot] = value, _EMPTY
                        n_found += 1
                table[slot, _COUNT] += stop - at
                _widen(table, slot, 0, row // n_middle, row // n_middle + 1)
                _widen(table, slot, 1, row % n_middle, row % n_middle + 1)
                _widen(table, slot, 2, at - begin, stop - begin)
            at = stop
    return values[:n_found].copy(), table[:n_found].copy()


@kernel
def _widen(table: AnyArray, slot: int, axis: int, start: int, end: int) -> None:
    low, high = _BOX + 2 * axis, _BOX + 2 * axis + 1
    table[slot, low] = min(table[slot, low], start)
    table[slot, high] = max(table[slot, high], end)

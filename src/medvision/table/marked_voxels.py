"""Landmarks that are marked in a label map: two voxels of one value are two landmarks."""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from medvision.annotate.landmarks import (
    AXIS_OF_LETTER,
    CANONICAL_LETTERS,
    LandmarkFormatError,
    Landmarks,
    LandmarkSpace,
    checked_landmarks,
)
from medvision.catalog.cohort import LandmarkVoxels
from medvision.volumes.read import open_stored
from medvision.volumes.stored import ReadOptions


def marked_landmarks(path: Path, marks: Sequence[LandmarkVoxels]) -> Landmarks:
    """Two landmarks for each value of a label map, in its stored voxels.

    Args:
        path: The label map.
        marks: Which value marks which landmarks, and towards where the first of them lies.

    Raises:
        ItemError: The file cannot be read, a value has not two voxels, or both lie level.
    """
    stored = open_stored(path, ReadOptions(purpose="label_map"))
    labels = stored.load()
    # (3, 2): of each stored axis, the world axis that it runs along most, and its sign.
    along = nib.orientations.io_orientation(stored.affine)  # type: ignore[no-untyped-call]
    entries = []
    for mark in marks:
        voxels = np.argwhere(labels == mark.value)
        if len(voxels) != 2:
            msg = f"{path}: expected two voxels of value {mark.value}, found {len(voxels)}"
            raise LandmarkFormatError(msg)
        axis = int(np.flatnonzero(along[:, 0] == AXIS_OF_LETTER[mark.towards])[0])
        sign = along[axis, 1] * (1 if mark.towards in CANONICAL_LETTERS else -1)
        first, second = (voxels[:, axis] * sign).tolist()
        if first == second:
            msg = f"{path}: neither voxel of value {mark.value} lies more towards {mark.towards}"
            raise LandmarkFormatError(msg)
        ordered = voxels if first > second else voxels[::-1]
        entries += list(zip(mark.landmarks, ordered.tolist(), strict=True))
    return checked_landmarks(str(path), LandmarkSpace.VOXEL, entries)

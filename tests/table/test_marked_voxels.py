"""Landmarks marked in a label map: which voxel is which, on any grid."""

import nibabel as nib
import numpy as np
import pytest

from medvision.annotate.landmarks import LandmarkFormatError, LandmarkSpace
from medvision.catalog.cohort import LandmarkVoxels
from medvision.table.marked_voxels import marked_landmarks

RAS = np.diag([1.0, 2, 3, 1])
LPS = np.diag([-1.0, -2, 3, 1])
PERMUTED = np.array([[0, 0, 1.5, 0], [-0.9, 0, 0, 4], [0, -2.0, 0, 1], [0, 0, 0, 1.0]])
LOW, HIGH = (1, 2, 3), (5, 6, 7)


def saved(path, affine, *voxels):
    array = np.zeros((9, 9, 9), np.uint8)
    for voxel in voxels:
        array[voxel] = 4
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.mark.parametrize(
    ("affine", "towards", "first"),
    [
        (RAS, "R", HIGH),
        (RAS, "L", LOW),
        (RAS, "S", HIGH),
        (LPS, "R", LOW),
        (LPS, "A", LOW),
        (LPS, "S", HIGH),
        (PERMUTED, "R", HIGH),  # the last stored axis runs to the right
        (PERMUTED, "A", LOW),  # the first runs to posterior
        (PERMUTED, "I", HIGH),
    ],
)
def test_the_first_landmark_lies_more_towards(affine, towards, first, tmp_path):
    path = saved(tmp_path / "meas.nii.gz", affine, LOW, HIGH)
    mark = LandmarkVoxels(value=4, landmarks=("P1", "P2"), towards=towards)
    found = marked_landmarks(path, (mark,))
    assert found.space is LandmarkSpace.VOXEL
    second = LOW if first == HIGH else HIGH
    assert dict(found.points) == {"P1": first, "P2": second}


@pytest.mark.parametrize(
    ("voxels", "told"),
    [
        ((), "two voxels of value 4, found 0"),
        ((LOW,), "two voxels of value 4, found 1"),
        ((LOW, HIGH, (0, 0, 0)), "two voxels of value 4, found 3"),
        (((1, 2, 3), (1, 5, 5)), "more towards R"),
    ],
)
def test_a_value_that_is_not_two_voxels_apart_is_refused(voxels, told, tmp_path):
    path = saved(tmp_path / "meas.nii.gz", RAS, *voxels)
    mark = LandmarkVoxels(value=4, landmarks=("P1", "P2"), towards="R")
    with pytest.raises(LandmarkFormatError, match=told):
        marked_landmarks(path, (mark,))

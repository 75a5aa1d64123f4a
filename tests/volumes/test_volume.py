"""Slices as displayed, and placeholder spacing."""

import numpy as np
import pytest

from medvision.frames import Plane, ijk_from_ras, slice_index_from_ijk, xy_from_ijk
from medvision.volumes import Volume, VolumeGeometry, read_volume, slice_pixels, spacing_suspect
from medvision.volumes.errors import SliceIndexError


def volume_of(array, spacing_mm=(0.5, 0.75, 2.0)):
    return Volume(array=array, affine=np.diag([*spacing_mm, 1.0]), spacing_mm=spacing_mm)


@pytest.mark.parametrize(
    ("plane", "expected", "spacing_y_mm", "spacing_x_mm"),
    [
        (Plane.AXIAL, lambda a, n: a[::-1, ::-1, n].T, 0.75, 0.5),
        (Plane.CORONAL, lambda a, n: a[::-1, n, ::-1].T, 2.0, 0.5),
        (Plane.SAGITTAL, lambda a, n: a[n, ::-1, ::-1].T, 2.0, 0.75),
    ],
)
@pytest.mark.parametrize("index", [0, 1, 3])
def test_slices_follow_the_written_formulas(
    voxels, plane, expected, spacing_y_mm, spacing_x_mm, index
):
    found = slice_pixels(volume_of(voxels), plane, index)
    np.testing.assert_array_equal(found.pixels, expected(voxels, index))
    assert (found.spacing_y_mm, found.spacing_x_mm) == (spacing_y_mm, spacing_x_mm)


@pytest.mark.parametrize("plane", list(Plane))
def test_2d_image_is_its_own_slice_on_any_plane(plane):
    image = Volume(
        array=np.arange(6).reshape(2, 3), affine=np.diag([0.1, 0.2, 1, 1]), spacing_mm=(0.2, 0.1)
    )
    found = slice_pixels(image, plane, 0)
    np.testing.assert_array_equal(found.pixels, image.array)
    assert (found.spacing_y_mm, found.spacing_x_mm) == (0.2, 0.1)


@pytest.mark.parametrize("index", [-1, 6])
def test_slice_outside_the_volume_is_an_error(voxels, index):
    with pytest.raises(SliceIndexError, match="slices 0 to 5"):
        slice_pixels(volume_of(voxels), Plane.AXIAL, index)


def test_native_slice_of_a_volume_is_an_error(voxels):
    with pytest.raises(SliceIndexError, match="asked for native"):
        slice_pixels(volume_of(voxels), Plane.NATIVE, 0)


def test_second_slice_of_a_2d_image_is_an_error():
    image = Volume(array=np.ones((2, 3)), affine=np.eye(4), spacing_mm=(1.0, 1.0))
    with pytest.raises(SliceIndexError, match="slices 0 to 0"):
        slice_pixels(image, Plane.NATIVE, 1)


@pytest.mark.parametrize("plane", [Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_a_dot_at_a_world_place_shows_where_the_converters_say(write_nifti, plane, signs):
    """The file's own affine and the dot's world place; nothing of ours but the converters."""
    dot_ijk = np.array([3, 1, 4])
    array = np.zeros((5, 6, 7), np.uint8)
    array[tuple(dot_ijk)] = 255
    angle = np.deg2rad(10)
    turned = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turned * np.multiply(signs, (0.5, 0.75, 2.0))
    affine[:3, 3] = [5, -6, 7]
    dot_ras = affine[:3, :3] @ dot_ijk + affine[:3, 3]
    volume = read_volume(write_nifti(array, sform=affine, pixdim=(0.5, 0.75, 2.0)))

    ijk = ijk_from_ras(dot_ras, volume.affine)
    pixels = slice_pixels(volume, plane, int(slice_index_from_ijk(ijk, plane))).pixels
    ((row, column),) = np.argwhere(pixels == 255)
    np.testing.assert_allclose(xy_from_ijk(ijk, volume.shape, plane), (column, row), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "modality", "suspect"),
    [
        ((256, 256, 30), (1.0, 1.0, 1.0), "CT", True),
        ((512, 512, 1), (1.0, 1.0, 1.0), "ct", True),
        ((30, 300, 300), (1.0, 1.0, 1.0), "CT", True),
        ((256, 255, 200), (1.0, 1.0, 1.0), "CT", False),
        ((512, 512, 30), (1.0, 1.0, 1.01), "CT", False),
        ((512, 512, 30), (1.0, 1.0, 1.0), "MRI", False),
    ],
)
def test_large_ct_of_exactly_one_millimetre_is_suspect(shape, spacing_mm, modality, suspect):
    geometry = VolumeGeometry(shape=shape, affine=np.eye(4), spacing_mm=spacing_mm)
    assert spacing_suspect(geometry, modality) is suspect

"""Volumes resampled by the transform of a case, against SciPy on any grid."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from medvision.catalog.cohort import Step
from medvision.volumes.conversions import converted
from medvision.volumes.errors import CorruptFileError, DimensionsError
from medvision.volumes.stored import StoredImage
from medvision.volumes.volume import SpacingSource

pytest.importorskip("SimpleITK")

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", (20, -10, 35), degrees=True).as_matrix()
OBLIQUE[:3, :3] *= (0.7, 1.1, 2.0)
OBLIQUE[:3, 3] = 5, -3, 8
GRIDS = {
    "plain": np.diag([1.0, 1, 1, 1]),
    "flipped": np.array([[-0.8, 0, 0, 9], [0, -1.1, 0, 7], [0, 0, 2.5, 0], [0, 0, 0, 1]]),
    "permuted": np.array([[0, 0, 1.5, 0], [-0.9, 0, 0, 4], [0, -2.0, 0, 1], [0, 0, 0, 1.0]]),
    "oblique": OBLIQUE,
}


def stored(voxels, affine):
    return StoredImage(
        path="scan.nii",
        shape=voxels.shape,
        affine=affine,
        spacing_source=SpacingSource.SFORM,
        load=lambda: voxels,
    )


def transform_file(path, matrix, shift_mm):
    parameters = " ".join(f"{value:.12g}" for value in (*np.ravel(matrix), *shift_mm))
    path.write_text(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        f"Parameters: {parameters}\nFixedParameters: 0 0 0\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("affine", GRIDS.values(), ids=GRIDS)
def test_each_point_of_the_grid_takes_the_value_where_the_transform_leads(affine, tmp_path):
    rng = np.random.default_rng(0)
    voxels = ndimage.gaussian_filter(rng.normal(size=(14, 12, 10)), 1).astype(np.float32)
    matrix = Rotation.from_euler("zyx", (12, 5, -8), degrees=True).as_matrix() * 1.1
    shift_mm = np.array([0.6, -0.3, 0.8])
    path = transform_file(tmp_path / "t.txt", matrix, shift_mm)
    found = converted(stored(voxels, affine), (Step(transform="x"),), transform=path)
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    centres_mm = np.indices(voxels.shape).reshape(3, -1).T @ lps[:3, :3].T + lps[:3, 3]
    at = np.linalg.solve(lps[:3, :3], (centres_mm @ matrix.T + shift_mm - lps[:3, 3]).T)
    expected = ndimage.map_coordinates(voxels.astype(float), at, order=1, cval=np.nan)
    expected = expected.reshape(voxels.shape)
    inside = np.isfinite(expected)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(found.load()[inside], expected[inside], atol=1e-4)
    assert np.array_equal(found.affine, affine)


def test_what_lies_outside_is_zero_and_the_type_stays(tmp_path):
    voxels = np.full((6, 6, 6), 7, np.int16)
    path = transform_file(tmp_path / "t.tfm", np.eye(3), (100.0, 0, 0))
    found = converted(stored(voxels, np.eye(4)), (Step(transform="x"),), transform=path).load()
    assert found.dtype == np.int16
    assert not found.any()


def test_a_file_that_is_no_transform_is_told(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("1 0 0\n", encoding="utf-8")
    found = converted(
        stored(np.zeros((3, 3, 3)), np.eye(4)), (Step(transform="x"),), transform=path
    )
    with pytest.raises(CorruptFileError, match="expected an ITK transform"):
        found.load()


def test_a_picture_is_not_resampled(tmp_path):
    picture = stored(np.zeros((3, 3)), np.eye(4))
    with pytest.raises(DimensionsError, match="transform is for volumes"):
        converted(picture, (Step(transform="x"),), transform=tmp_path / "t.txt")

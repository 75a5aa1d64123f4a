"""MetaImage, through SimpleITK where the extra is installed."""

import sys

import numpy as np
import pytest

from medvision.errors import MissingExtraError
from medvision.volumes import read_label_map, read_volume
from medvision.volumes.errors import (
    DimensionsError,
    InvalidSpacingError,
    MissingFileError,
    MissingSpacingError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedPixelsError,
)

LPS_DIRECTION = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 1 2 3
ElementSpacing = 0.5 0.75 2
DimSize = 4 5 6
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""


@pytest.fixture
def sitk():
    return pytest.importorskip("SimpleITK", reason="extra formats is not installed")


def save(path, voxels, header=HEADER):
    path.write_bytes(header.encode() + voxels.astype("<i2").tobytes(order="F"))
    return path


def test_without_the_extra_the_error_says_what_to_install(tmp_path, voxels, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MissingExtraError, match=r"a\.mha.*pip install 'medvision\[formats\]'"):
        read_volume(save(tmp_path / "a.mha", voxels))


def test_hand_built_file_is_read_in_lps(sitk, tmp_path, voxels):
    volume = read_volume(save(tmp_path / "a.mha", voxels))
    assert volume.orientation_as_stored == "LPS"
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])
    # stored voxel (3, 4, 0) lies at LPS (2.5, 5, 3), so RAS (-2.5, -5, 3)
    np.testing.assert_allclose(volume.affine[:3, 3], (-2.5, -5.0, 3.0))


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [True, False])
def test_every_voxel_lies_where_itk_says(sitk, tmp_path, voxels, name, compressed):
    image = sitk.GetImageFromArray(voxels.T.copy())
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((1.0, 2.0, 3.0))
    image.SetDirection(LPS_DIRECTION.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / name), compressed)
    volume = read_volume(tmp_path / name)
    for stored_ijk in [(0, 0, 0), (3, 1, 2), (1, 4, 5)]:
        (found_ijk,) = np.argwhere(volume.array == voxels[stored_ijk])
        lps = image.TransformIndexToPhysicalPoint(stored_ijk)
        ras = volume.affine[:3, :3] @ found_ijk + volume.affine[:3, 3]
        np.testing.assert_allclose(ras, np.multiply(lps, (-1, -1, 1)), atol=1e-9)


def test_itk_reads_a_nifti_of_ours_at_the_same_place(sitk, tmp_path, write_nifti, voxels):
    affine = np.diag([-0.5, 0.75, 2.0, 1.0])
    affine[:3, 3] = [5, 6, 7]
    path = write_nifti(
        voxels,
        sform=affine,
        pixdim=(0.5, 0.75, 2.0),
        quaternion=(0, 1, 0),
        qfac=-1.0,
        qoffset=(5, 6, 7),
    )
    sitk.WriteImage(sitk.ReadImage(str(path)), str(tmp_path / "a.mha"))
    volume, twin = read_volume(path), read_volume(tmp_path / "a.mha")
    np.testing.assert_array_equal(volume.array, twin.array)
    np.testing.assert_allclose(volume.affine, twin.affine, atol=1e-6)


def test_2d_file_is_native(sitk, tmp_path):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.5, 0.75))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    volume = read_volume(tmp_path / "a.mha")
    assert volume.spacing_mm == (0.75, 0.5)
    np.testing.assert_array_equal(volume.array, pixels)


def test_label_map_keeps_its_labels(sitk, tmp_path, voxels):
    volume = read_label_map(save(tmp_path / "a.mha", voxels))
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])


def test_singleton_fourth_axis_is_dropped(sitk, tmp_path, voxels):
    image = sitk.JoinSeries(sitk.GetImageFromArray(voxels.T.copy()))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mha").array, voxels[::-1, ::-1])


def test_four_dimensional_file_is_an_error(sitk, tmp_path, voxels):
    image = sitk.GetImageFromArray(voxels.T.copy())
    sitk.WriteImage(sitk.JoinSeries(image, image), str(tmp_path / "a.mha"))
    with pytest.raises(DimensionsError, match=r"a\.mha"):
        read_volume(tmp_path / "a.mha")


def test_vectors_are_an_error(sitk, tmp_path, voxels):
    image = sitk.GetImageFromArray(np.zeros((2, 3, 4, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    with pytest.raises(UnsupportedPixelsError, match="3 channels"):
        read_volume(tmp_path / "a.mha")


def test_absent_spacing_is_an_error_though_itk_assumes_one(sitk, tmp_path, voxels):
    header = HEADER.replace("ElementSpacing = 0.5 0.75 2\n", "")
    path = save(tmp_path / "a.mha", voxels, header)
    assert sitk.ReadImage(str(path)).GetSpacing() == (1.0, 1.0, 1.0)
    with pytest.raises(MissingSpacingError, match=r"a\.mha.*ElementSpacing"):
        read_volume(path)


@pytest.mark.parametrize("stated", ["0.5 0 2", "0.5 -1 2", "0.5 nan 2", "0.5 x 2", "0.5 2"])
def test_impossible_spacing_is_an_error(tmp_path, voxels, stated):
    header = HEADER.replace("0.5 0.75 2", stated)
    with pytest.raises(InvalidSpacingError, match=r"a\.mha.*ElementSpacing"):
        read_volume(save(tmp_path / "a.mha", voxels, header))


def test_truncated_data_is_an_error(sitk, tmp_path, voxels):
    path = save(tmp_path / "a.mha", voxels)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TruncatedFileError, match=r"a\.mha"):
        read_volume(path)


def test_missing_data_file_is_named(tmp_path, voxels):
    (tmp_path / "a.mhd").write_text(HEADER.replace("LOCAL", "a.raw"))
    with pytest.raises(MissingFileError, match=r"a\.mhd: its data file a\.raw is missing"):
        read_volume(tmp_path / "a.mhd")


def test_other_content_is_an_error(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"no such thing")
    with pytest.raises(NotAnImageError, match=r"a\.mha: not a MetaImage"):
        read_volume(tmp_path / "a.mha")

"""DICOM files and series, written and checked by SimpleITK where the extra is installed."""

import sys

import numpy as np
import pytest

from medvision.errors import MissingExtraError
from medvision.volumes import read_geometry, read_volume
from medvision.volumes.errors import (
    GantryTiltError,
    MissingSlicesError,
    MissingSpacingError,
    NonUniformSlicesError,
    NotAnImageError,
    SeveralSeriesError,
)

sitk = pytest.importorskip("SimpleITK", reason="extra formats is not installed")

UID = "1.2.826.0.1.3680043.2.1125.1"


def write_slice(path, pixels, *, spacing_mm=(1.0, 1.0), **tags):
    """GDCM writes the image's spacing (x, y[, z]) over PixelSpacing of a slice."""
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(spacing_mm)
    for tag, value in tags.items():
        image.SetMetaData(tag.removeprefix("t").replace("_", "|"), str(value))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def write_series(folder, voxels, positions, *, series=1, orientation="1\\0\\0\\0\\1\\0", **tags):
    """Voxels [column, row, slice], one file a slice, in shuffled file order."""
    folder.mkdir(exist_ok=True)
    for n, position in enumerate(positions):
        write_slice(
            folder / f"{series}_{(n * 7) % 11:02d}_{n}.dcm",
            np.ascontiguousarray(voxels[:, :, n : n + 1].T),
            spacing_mm=(0.5, 0.75, 2.0),
            **{
                "t0008_0060": "CT",
                "t0008_0016": "1.2.840.10008.5.1.4.1.1.2",
                "t0008_0018": f"{UID}.{series}.{n + 1}",
                "t0020_000d": f"{UID}.9",
                "t0020_000e": f"{UID}.{series}",
                "t0020_0013": n + 1,
                "t0020_0032": "\\".join(str(p) for p in position),
                "t0020_0037": orientation,
                **tags,
            },
        )
    return folder


def along_z(n, step_mm=2.0):
    return [(1.0, 2.0, 3.0 + k * step_mm) for k in range(n)]


def test_series_reads_as_itk_places_it(tmp_path, voxels):
    folder = write_series(tmp_path / "s", voxels, along_z(6))
    volume = read_volume(folder)
    assert volume.orientation_as_stored == "LPS"
    assert volume.spacing_mm == pytest.approx((0.5, 0.75, 2.0))
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(list(names))
    lps = image.TransformIndexToPhysicalPoint((3, 4, 0))
    np.testing.assert_allclose(volume.affine[:3, 3], np.multiply(lps, (-1, -1, 1)), atol=1e-6)


def test_series_equals_the_nifti_that_itk_makes_of_it(tmp_path, voxels):
    folder = write_series(
        tmp_path / "s",
        voxels,
        [(4.0, 5.0 + 3 * k, 6.0) for k in range(6)],
        orientation="1\\0\\0\\0\\0\\-1",
    )
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    sitk.WriteImage(sitk.ReadImage(list(names)), str(tmp_path / "a.nii.gz"))
    volume, twin = read_volume(folder), read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume.array, twin.array)
    np.testing.assert_allclose(volume.affine, twin.affine, atol=1e-5)


def test_each_slice_is_rescaled_by_its_own_slope(tmp_path, voxels):
    pydicom = pytest.importorskip("pydicom", reason="needed to set tags after writing")
    folder = write_series(tmp_path / "s", voxels, along_z(6))
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope = 0.5 * int(dataset.InstanceNumber)
        dataset.RescaleIntercept = -1024
        dataset.save_as(path)
    expected = voxels * (0.5 * np.arange(1, 7)) - 1024
    np.testing.assert_allclose(read_volume(folder).array, expected[::-1, ::-1])


def test_one_slice_is_a_volume_of_one(tmp_path, voxels):
    folder = write_series(tmp_path / "s", voxels, along_z(1))
    (path,) = folder.iterdir()
    volume = read_volume(path)
    assert volume.array.shape == (4, 5, 1)
    assert volume.spacing_mm == pytest.approx((0.5, 0.75, 2.0))


def test_file_without_suffix_is_known_by_its_preamble(tmp_path, voxels):
    folder = write_series(tmp_path / "s", voxels, along_z(1))
    (path,) = folder.iterdir()
    bare = path.rename(tmp_path / "IM0001")
    assert read_volume(bare).array.shape == (4, 5, 1)


def test_missing_slice_is_an_error(tmp_path, voxels):
    folder = write_series(tmp_path / "s", voxels, along_z(6))
    next(folder.glob("*_3.dcm")).unlink()
    with pytest.raises(MissingSlicesError, match="1 slices missing"):
        read_volume(folder)


def test_non_uniform_slices_are_an_error(tmp_path, voxels):
    positions = along_z(6)
    positions[5] = (1.0, 2.0, 13.7)
    with pytest.raises(NonUniformSlicesError, match="equal slice distances"):
        read_geometry(write_series(tmp_path / "s", voxels, positions))


def test_gantry_tilt_is_an_error(tmp_path, voxels):
    positions = [(1.0, 2.0 + 0.5 * k, 3.0 + 2 * k) for k in range(6)]
    with pytest.raises(GantryTiltError, match="gantry tilt"):
        read_volume(write_series(tmp_path / "s", voxels, positions))


def test_two_series_in_one_folder_are_an_error(tmp_path, voxels):
    write_series(tmp_path / "s", voxels, along_z(6))
    write_series(tmp_path / "s", voxels, along_z(6), series=2)
    with pytest.raises(SeveralSeriesError, match="found 2"):
        read_volume(tmp_path / "s")


def test_folder_without_dicom_is_an_error(tmp_path):
    (tmp_path / "s").mkdir()
    with pytest.raises(NotAnImageError, match="without DICOM"):
        read_volume(tmp_path / "s")


def test_other_content_is_an_error(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"no such thing" * 30)
    with pytest.raises(NotAnImageError, match=r"a\.dcm"):
        read_volume(tmp_path / "a.dcm")


RADIOGRAPH = {
    "t0008_0060": "CR",
    "t0008_0016": "1.2.840.10008.5.1.4.1.1.1",
    "t0008_0018": f"{UID}.3.1",
}
PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)


def test_radiograph_is_native_with_its_pixel_spacing(tmp_path):
    write_slice(tmp_path / "a.dcm", PIXELS, **RADIOGRAPH, t0028_0030="0.3\\0.2")
    volume = read_volume(tmp_path / "a.dcm")
    np.testing.assert_array_equal(volume.array, PIXELS)
    assert volume.spacing_mm == (0.3, 0.2)
    assert volume.spacing_source == "header"
    assert volume.flags == ()


def test_stated_spacing_of_a_radiograph_wins(tmp_path):
    write_slice(tmp_path / "a.dcm", PIXELS, **RADIOGRAPH, t0028_0030="0.3\\0.2")
    volume = read_volume(tmp_path / "a.dcm", spacing_mm=(0.25, 0.15))
    assert volume.spacing_mm == (0.25, 0.15)
    assert volume.flags == ("spacing_overridden",)


def test_without_the_extra_a_dicom_file_names_it(tmp_path, monkeypatch):
    write_slice(tmp_path / "a.dcm", PIXELS, **RADIOGRAPH)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MissingExtraError, match=r"a\.dcm.*medvision\[formats\]"):
        read_volume(tmp_path / "a.dcm")


def test_radiograph_without_spacing_asks_for_it(tmp_path):
    pydicom = pytest.importorskip("pydicom", reason="needed to strip tags")
    write_slice(tmp_path / "a.dcm", PIXELS, **RADIOGRAPH)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.save_as(tmp_path / "b.dcm")
    with pytest.raises(MissingSpacingError, match=r"b\.dcm.*--spacing-mm"):
        read_volume(tmp_path / "b.dcm")
    dataset.ImagerPixelSpacing = [0.3, 0.2]
    dataset.save_as(tmp_path / "c.dcm")
    volume = read_volume(tmp_path / "c.dcm")
    assert volume.spacing_mm == (0.3, 0.2)
    assert volume.flags == ("spacing_from_detector",)

"""Pixel spacing of ultrasound pictures, by the regions that DICOM files state."""

import numpy as np
import pytest

from medvision.volumes import read_volume
from medvision.volumes.errors import MissingSpacingError
from tests.dicom_files import written

pydicom = pytest.importorskip("pydicom", reason="extra dicom is not installed")
IMPLICIT = "1.2.840.10008.1.2"


def region(x_cm, y_cm, units=(3, 3)):
    one = pydicom.Dataset()
    one.RegionSpatialFormat, one.RegionDataType, one.RegionFlags = 1, 1, 0
    one.RegionLocationMinX0 = one.RegionLocationMinY0 = 0
    one.RegionLocationMaxX1 = one.RegionLocationMaxY1 = 15
    one.PhysicalUnitsXDirection, one.PhysicalUnitsYDirection = units
    one.PhysicalDeltaX, one.PhysicalDeltaY = x_cm, y_cm
    return one


def ultrasound(path, *regions, **more):
    sequence = pydicom.Sequence(list(regions))
    keys = {"modality": "US", "RescaleIntercept": 0, "PixelSpacing": None} | more
    return written(path, SequenceOfUltrasoundRegions=sequence, **keys)


@pytest.mark.parametrize(
    "regions",
    [
        [region(0.01, 0.02)],
        [region(0.01, -0.02)],  # upwards
        [region(0.01, 0.02), region(0.01, 0.02)],
        [region(0.01, 0.02), region(0.004, 1.5, units=(4, 7))],  # a Doppler curve: s, cm/s
        [region(0.01, 0.02), region(0.010000001, 0.02)],
    ],
)
def test_regions_that_agree_give_the_spacing(tmp_path, regions):
    volume = read_volume(ultrasound(tmp_path / "u.dcm", *regions))
    assert volume.spacing_mm == pytest.approx((0.2, 0.1), rel=1e-6)


def test_as_another_reader_states_it_in_implicit_form(tmp_path):
    path = ultrasound(tmp_path / "u.dcm", region(0.037, 0.021))
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = IMPLICIT
    dataset.save_as(tmp_path / "i.dcm", implicit_vr=True, little_endian=True)
    [stated] = pydicom.dcmread(tmp_path / "i.dcm").SequenceOfUltrasoundRegions
    expected = (10 * stated.PhysicalDeltaY, 10 * stated.PhysicalDeltaX)
    for file in (path, tmp_path / "i.dcm"):
        assert read_volume(file).spacing_mm == pytest.approx(expected)


@pytest.mark.parametrize(
    ("regions", "more"),
    [
        ([region(0.01, 0.02), region(0.02, 0.02)], {}),
        ([region(0.01, 0.02)], {"PixelSpacing": [0.5, 0.5]}),
    ],
)
def test_a_spacing_that_is_not_one_is_unknown(tmp_path, regions, more):
    path = ultrasound(tmp_path / "u.dcm", *regions, **more)
    with pytest.raises(MissingSpacingError, match=r"found 0\.2 × 0\.1, 0\.[25] × 0\.[25] mm"):
        read_volume(path)
    assert read_volume(path, spacing_mm=(0.3, 0.4)).spacing_mm == (0.3, 0.4)


@pytest.mark.parametrize("regions", [[], [region(0.01, 0.02, units=(0, 0))]])
def test_without_a_length_the_spacing_is_what_else_is_stated(tmp_path, regions):
    with pytest.raises(MissingSpacingError, match="states no pixel size"):
        read_volume(ultrasound(tmp_path / "u.dcm", *regions))
    path = ultrasound(tmp_path / "v.dcm", *regions, PixelSpacing=[0.5, 0.25])
    assert np.allclose(read_volume(path).spacing_mm, (0.5, 0.25))


def test_regions_of_another_modality_are_not_looked_at(tmp_path):
    path = ultrasound(tmp_path / "x.dcm", region(0.01, 0.02), modality="DX", PixelSpacing=[1, 1])
    assert read_volume(path).spacing_mm == (1, 1)

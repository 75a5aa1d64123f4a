"""DICOM files and series, written and checked by SimpleITK where the extra is installed."""

import sys

import numpy as np
import pytest

from medvision.errors import MissingExtraError
from medvision.volumes import read_geometry, read_label_map, read_volume
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    GantryTiltError,
    MissingSlicesError,
    MissingSpacingError,
    NonUniformSlicesError,
    NotAnImageError,
    SeveralSeriesError,
    TruncatedFileError,
    UnsupportedPixelsError,
)
from tests.dicom_files import SIDE, STORED, UID, written

sitk = pytest.importorskip("SimpleITK", reason="extra formats is not installed")


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


def as_stated(path):
    """Stored × slope + intercept of a file, by pydicom."""
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.dcmread(path)
    return pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)


FORMS = {
    "12 of 16 bits": {},
    "fractional slope": {"RescaleSlope": "0.37", "RescaleIntercept": "-7.25"},
    "negative slope": {"RescaleSlope": -2, "RescaleIntercept": 100},
    "all 16 bits": {"BitsStored": 16, "HighBit": 15},
    "16 signed bits": {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1},
    "no rescale": {"RescaleSlope": None, "RescaleIntercept": None},
}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("modality", ["CT", "PT", "MR"])
@pytest.mark.parametrize("form", FORMS)
def test_measured_values_are_stored_times_slope_plus_intercept(
    tmp_path, form, modality, photometric
):
    path = written(tmp_path / "1.dcm", modality=modality, photometric=photometric, **FORMS[form])
    volume = read_volume(path)
    found = volume.array[::-1, ::-1, 0].T
    np.testing.assert_allclose(found, as_stated(path), rtol=1e-12, atol=1e-9)


def test_signed_values_of_fewer_bits_keep_their_sign(tmp_path):
    path = written(tmp_path / "1.dcm", PixelRepresentation=1)
    expected = np.where(STORED > 2047, STORED - 4096, STORED) - 1024
    np.testing.assert_array_equal(read_volume(path).array[::-1, ::-1, 0].T, expected)
    written(path, PixelRepresentation=1, photometric="MONOCHROME1")
    with pytest.raises(UnsupportedPixelsError, match=r"1\.dcm.*MONOCHROME1 of 12 signed bits"):
        read_volume(path)


def test_bits_above_the_stored_ones_are_no_value(tmp_path):
    # Overlays were once drawn there.
    path = written(tmp_path / "1.dcm", STORED + 0x1000 * (STORED % 3))
    np.testing.assert_array_equal(read_volume(path).array[::-1, ::-1, 0].T, STORED - 1024)


def test_padding_values_are_kept_as_stored(tmp_path):
    padded = np.where(STORED < 400, 0, STORED)
    path = written(tmp_path / "1.dcm", padded, PixelPaddingValue=0)
    np.testing.assert_array_equal(read_volume(path).array[::-1, ::-1, 0].T, padded - 1024)


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "XA"])
def test_a_radiograph_is_read_as_a_viewer_shows_it(tmp_path, modality):
    tags = {"modality": modality, "RescaleIntercept": 0, "PixelSpacing": [0.2, 0.2]}
    inverted = read_volume(written(tmp_path / "1.dcm", photometric="MONOCHROME1", **tags))
    np.testing.assert_array_equal(inverted.array, 4095 - STORED)
    assert inverted.flags == ("monochrome1",)
    plain = read_volume(written(tmp_path / "2.dcm", **tags))
    np.testing.assert_array_equal(plain.array, STORED)
    assert plain.flags == ()


def test_a_capture_of_a_ct_screen_is_a_picture(tmp_path):
    path = written(
        tmp_path / "1.dcm",
        photometric="MONOCHROME1",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        ImagePositionPatient=None,
        RescaleIntercept=0,
    )
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, 4095 - STORED)
    assert volume.flags == ("monochrome1",)


def test_a_table_of_values_is_refused(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    table = pydicom.Dataset()
    table.add_new(0x00283002, "US", [4096, 0, 16])
    table.ModalityLUTType = "HU"
    table.add_new(0x00283006, "OW", np.arange(4096, dtype="<u2")[::-1].tobytes())
    no_rescale = {"RescaleSlope": None, "RescaleIntercept": None}
    path = written(tmp_path / "1.dcm", **no_rescale, ModalityLUTSequence=[table])
    with pytest.raises(UnsupportedPixelsError, match=r"1\.dcm.*Modality LUT"):
        read_volume(path)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)
    with pytest.raises(UnsupportedPixelsError, match="Modality LUT"):
        read_volume(path)


@pytest.mark.parametrize("slope", ["0", "1e999"])
def test_an_impossible_slope_is_an_error(tmp_path, slope):
    path = written(tmp_path / "1.dcm", RescaleSlope=slope)
    with pytest.raises(BadHeaderError, match=r"1\.dcm.*RescaleSlope"):
        read_volume(path)


def palette(path, n_colours, bits):
    """A picture whose pixels are places in a table of colours; the colours (n, 3) too."""
    stored = STORED % n_colours
    colours = np.random.default_rng(1).integers(0, 256, (n_colours, 3)).astype("<u2") * 257
    written(
        path,
        stored,
        modality="US",
        photometric="PALETTE COLOR",
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        RescaleSlope=None,
        RescaleIntercept=None,
        PixelSpacing=[0.1, 0.1],
        PixelData=stored.astype("u1" if bits == 8 else "<u2").tobytes(),
    )
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.dcmread(path)
    for n in range(3):
        dataset.add_new(0x00281101 + n, "US", [n_colours, 0, 16])
        dataset.add_new(0x00281201 + n, "OW", colours[:, n].tobytes())
    dataset.save_as(path)
    return stored, colours


def test_palette_pictures_become_luminance(tmp_path):
    stored, colours = palette(tmp_path / "1.dcm", 256, 8)
    expected = (colours[stored] // 257) @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(read_volume(tmp_path / "1.dcm").array, expected, atol=1)


def test_palettes_of_more_colours_are_refused(tmp_path):
    palette(tmp_path / "1.dcm", 4096, 16)
    with pytest.raises(UnsupportedPixelsError, match=r"1\.dcm.*8-bit colour"):
        read_volume(tmp_path / "1.dcm")


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_colour_spaces_become_luminance(tmp_path, photometric):
    pydicom = pytest.importorskip("pydicom")
    grey = np.repeat((STORED // 16)[..., None], 3, axis=2).astype(np.uint8)
    pixels = (
        grey
        if photometric == "RGB"
        else pydicom.pixels.convert_color_space(grey, "RGB", "YBR_FULL")
    )
    if photometric.endswith("_422"):
        luma, blue, red = np.moveaxis(pixels, 2, 0)
        pixels = np.stack([luma[:, ::2], luma[:, 1::2], blue[:, ::2], red[:, ::2]], axis=-1)
    path = written(
        tmp_path / "1.dcm",
        modality="US",
        photometric=photometric,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        RescaleSlope=None,
        RescaleIntercept=None,
        PixelSpacing=[0.1, 0.1],
        PixelData=pixels.tobytes(),
    )
    np.testing.assert_allclose(read_volume(path).array.astype(int), grey[..., 0], atol=1)
    with pytest.raises(UnsupportedPixelsError, match="expected one number a pixel, found 3"):
        read_label_map(path)


def test_one_bit_pixels_are_zero_and_one(tmp_path):
    mask = STORED > 2000
    path = written(
        tmp_path / "1.dcm",
        modality="OT",
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        RescaleSlope=None,
        RescaleIntercept=None,
        PixelSpacing=[0.1, 0.1],
        PixelData=np.packbits(mask, bitorder="little").tobytes(),
    )
    np.testing.assert_array_equal(read_label_map(path).array, mask)


@pytest.mark.parametrize("n_bytes", [0, 100, 2 * SIDE * SIDE - 2])
def test_pixel_data_shorter_than_the_picture_is_an_error(tmp_path, n_bytes):
    whole = STORED.astype("<u2").tobytes()
    path = written(tmp_path / "1.dcm", PixelData=whole[:n_bytes])
    with pytest.raises((TruncatedFileError, CorruptFileError), match=r"1\.dcm"):
        read_volume(path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"])
def test_other_ways_of_writing_give_the_same(tmp_path, syntax):
    pydicom = pytest.importorskip("pydicom")
    path = written(tmp_path / "1.dcm")
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    implicit = syntax == "1.2.840.10008.1.2"
    pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=True)
    np.testing.assert_array_equal(read_volume(path).array[::-1, ::-1, 0].T, STORED - 1024)


def test_big_endian_and_compressed_files_give_the_same(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    path = written(tmp_path / "1.dcm")
    dataset = pydicom.dcmread(path)
    dataset.PixelData = STORED.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    pydicom.dcmwrite(tmp_path / "2.dcm", dataset, implicit_vr=False, little_endian=False)
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(tmp_path / "3.dcm")
    for name in ("2.dcm", "3.dcm"):
        found = read_volume(tmp_path / name).array[::-1, ::-1, 0].T
        np.testing.assert_array_equal(found, STORED - 1024)


def radiograph(path, *, modality="DX", **tags):
    return read_volume(written(path, modality=modality, RescaleIntercept=0, **tags))


DETECTOR_ONLY = {
    "imager spacing alone": {"ImagerPixelSpacing": [0.2, 0.1]},
    "the same twice": {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]},
    "the same to three digits": {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.20001, 0.1]},
    "a magnification that was not applied": {
        "PixelSpacing": [0.2, 0.1],
        "ImagerPixelSpacing": [0.2, 0.1],
        "EstimatedRadiographicMagnificationFactor": 1.25,
    },
    "not applied in spite of its name": {
        "PixelSpacing": [0.2, 0.1],
        "ImagerPixelSpacing": [0.2, 0.1],
        "PixelSpacingCalibrationType": "GEOMETRY",
        "EstimatedRadiographicMagnificationFactor": 1.25,
    },
    "a film's scanner": {"NominalScannedPixelSpacing": [0.2, 0.1]},
    "a film's scanner twice": {
        "PixelSpacing": [0.2, 0.1],
        "NominalScannedPixelSpacing": [0.2, 0.1],
    },
}


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "RF", "OT"])
@pytest.mark.parametrize("tags", DETECTOR_ONLY.values(), ids=DETECTOR_ONLY)
def test_spacing_that_holds_at_the_detector_is_flagged(tmp_path, modality, tags):
    volume = radiograph(tmp_path / "1.dcm", modality=modality, **tags)
    assert volume.spacing_source == "detector"
    assert volume.flags == ("spacing_from_detector",)
    assert volume.spacing_mm == pytest.approx((0.2, 0.1), rel=1e-3)
    (tmp_path / "folder").mkdir()
    (tmp_path / "1.dcm").rename(tmp_path / "folder" / "1")
    assert read_geometry(tmp_path / "folder").flags == ("spacing_from_detector",)


CALIBRATED = {
    "pixel spacing alone": {"PixelSpacing": [0.16, 0.08]},
    "another than the detector's": {
        "PixelSpacing": [0.16, 0.08],
        "ImagerPixelSpacing": [0.2, 0.1],
    },
    "calibrated to what the detector has": {
        "PixelSpacing": [0.16, 0.08],
        "ImagerPixelSpacing": [0.16, 0.08],
        "PixelSpacingCalibrationType": "FIDUCIAL",
    },
    "magnification applied": {
        "PixelSpacing": [0.16, 0.08],
        "ImagerPixelSpacing": [0.2, 0.1],
        "EstimatedRadiographicMagnificationFactor": 1.25,
    },
}


@pytest.mark.parametrize("tags", CALIBRATED.values(), ids=CALIBRATED)
def test_spacing_that_was_calibrated_is_the_headers(tmp_path, tags):
    volume = radiograph(tmp_path / "1.dcm", **tags)
    assert (volume.spacing_source, volume.flags) == ("header", ())
    assert volume.spacing_mm == (0.16, 0.08)


def test_stated_spacing_replaces_that_of_the_detector(tmp_path):
    path = written(tmp_path / "1.dcm", modality="DX", ImagerPixelSpacing=[0.2, 0.1])
    volume = read_volume(path, spacing_mm=(0.16, 0.08))
    assert (volume.spacing_source, volume.flags) == ("argument", ("spacing_overridden",))


def test_several_frames_are_refused(tmp_path):
    frames = np.stack([STORED, STORED])
    path = written(
        tmp_path / "1.dcm",
        modality="DX",
        NumberOfFrames=2,
        PixelData=frames.astype("<u2").tobytes(),
    )
    with pytest.raises(DimensionsError, match=r"1\.dcm: expected one frame, found 2"):
        read_volume(path)

"""2D pictures: depth, colour, spacing, and bad input."""

import numpy as np
import pytest
from PIL import Image

from medvision.errors import UsageError
from medvision.volumes import read_geometry, read_label_map, read_volume
from medvision.volumes.errors import (
    DimensionsError,
    EmptyFileError,
    MissingFileError,
    MissingSpacingError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedFormatError,
    UnsupportedPixelsError,
)

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
SPACING_MM = (0.2, 0.1)


def saved(path, pixels, mode=None, **options):
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "PNG", "tif", "tiff", "bmp"])
def test_grey_pictures_read_as_stored(tmp_path, suffix):
    volume = read_volume(saved(tmp_path / f"a.{suffix}", GREY), spacing_mm=SPACING_MM)
    assert volume.is_native
    assert volume.array.dtype == np.uint8
    np.testing.assert_array_equal(volume.array, GREY)
    assert volume.spacing_mm == SPACING_MM
    np.testing.assert_array_equal(volume.affine, np.diag([0.1, 0.2, 1.0, 1.0]))
    assert volume.spacing_source == "argument"
    assert volume.flags == ()
    assert volume.orientation_as_stored == ""


def test_jpeg_reads_rows_and_columns_the_right_way_round(tmp_path):
    pixels = np.zeros((40, 64), np.uint8)
    pixels[:8, 32:] = 255
    volume = read_volume(saved(tmp_path / "a.jpg", pixels, quality=95), spacing_mm=SPACING_MM)
    np.testing.assert_array_equal(volume.array > 128, pixels > 128)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path, suffix):
    pixels = np.array([[0, 1, 255], [256, 40000, 65535]], np.uint16)
    volume = read_volume(saved(tmp_path / f"a.{suffix}", pixels), spacing_mm=SPACING_MM)
    np.testing.assert_array_equal(volume.array, pixels)
    assert volume.array.dtype.kind in "ui"
    assert volume.array.dtype.isnative


def test_float_tiff_is_kept(tmp_path):
    pixels = np.array([[0.5, -1.0], [2.0, 1e6]], np.float32)
    volume = read_volume(saved(tmp_path / "a.tif", pixels), spacing_mm=SPACING_MM)
    np.testing.assert_array_equal(volume.array, pixels)


def test_colour_becomes_luminance(tmp_path):
    rgb = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [80, 80, 80]]], np.uint8)
    volume = read_volume(saved(tmp_path / "a.png", rgb), spacing_mm=SPACING_MM)
    expected = rgb @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(volume.array, expected, atol=1)
    assert volume.array.dtype == np.uint8


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK"])
def test_other_colour_modes_become_luminance(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    volume = read_volume(saved(tmp_path / f"a.{suffix}", GREY, mode), spacing_mm=SPACING_MM)
    np.testing.assert_allclose(volume.array.astype(int), GREY, atol=1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_label_map_in_colour_that_is_grey_throughout_has_one_channel(tmp_path, mode):
    path = saved(tmp_path / "a.png", GREY, mode)
    np.testing.assert_array_equal(read_label_map(path, spacing_mm=SPACING_MM).array, GREY)


def test_colour_label_map_is_an_error_that_names_the_colours(tmp_path):
    rgb = np.array([[[255, 0, 0], [0, 0, 0], [255, 0, 0]]], np.uint8)
    path = saved(tmp_path / "a.png", rgb)
    told = r"a\.png.*colour picture with #ff0000 \(2 px\).*single-channel"
    with pytest.raises(UnsupportedPixelsError, match=told):
        read_label_map(path, spacing_mm=SPACING_MM)


def test_a_label_map_in_the_colours_of_a_press_is_an_error(tmp_path):
    path = saved(tmp_path / "a.tif", GREY, "CMYK")
    with pytest.raises(UnsupportedPixelsError, match=r"a\.tif.*8-bit.*CMYK"):
        read_label_map(path, spacing_mm=SPACING_MM)


def test_palette_indices_are_labels(tmp_path):
    labels = np.array([[0, 1], [2, 1]], np.uint8)
    picture = Image.fromarray(labels).convert("P")
    picture.putdata(list(labels.ravel()))
    picture.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10])
    picture.save(tmp_path / "a.png")
    volume = read_label_map(tmp_path / "a.png", spacing_mm=SPACING_MM)
    np.testing.assert_array_equal(volume.array, labels)


def test_one_bit_label_map_holds_zero_and_one(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[0, 255, 255]], np.uint8), "1")
    assert read_label_map(path, spacing_mm=SPACING_MM).array.tolist() == [[0, 1, 1]]


def test_no_spacing_is_an_error_that_names_the_option(tmp_path):
    with pytest.raises(MissingSpacingError, match=r"a\.png.*--spacing-mm Y,X"):
        read_volume(saved(tmp_path / "a.png", GREY))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_dots_per_inch_are_no_spacing(tmp_path, suffix):
    path = saved(tmp_path / f"a.{suffix}", GREY, dpi=(254, 254))
    with pytest.raises(MissingSpacingError, match="--spacing-mm"):
        read_volume(path)


def save_imagej(path, unit="mm"):
    tags = {270: f"ImageJ=1.53\nunit={unit}\n", 282: 10.0, 283: 5.0, 296: 1}
    return saved(path, GREY, tiffinfo=tags)


def test_imagej_calibration_is_a_spacing(tmp_path):
    volume = read_volume(save_imagej(tmp_path / "a.tif"))
    assert volume.spacing_mm == pytest.approx((0.2, 0.1))
    assert volume.spacing_source == "header"


def test_imagej_calibration_in_pixels_is_none(tmp_path):
    with pytest.raises(MissingSpacingError, match="--spacing-mm"):
        read_volume(save_imagej(tmp_path / "a.tif", unit="pixel"))


def test_stated_spacing_wins_over_the_file_and_is_flagged(tmp_path):
    volume = read_volume(save_imagej(tmp_path / "a.tif"), spacing_mm=(0.3, 0.3))
    assert volume.spacing_mm == (0.3, 0.3)
    assert volume.flags == ("spacing_overridden",)


@pytest.mark.parametrize("spacing_mm", [(0.0, 1.0), (1.0, -1.0), (np.nan, 1.0), (1.0,), (1, 1, 1)])
def test_impossible_stated_spacing_is_a_usage_error(tmp_path, spacing_mm):
    with pytest.raises(UsageError, match="--spacing-mm wants two positive numbers"):
        read_volume(saved(tmp_path / "a.png", GREY), spacing_mm=spacing_mm)


def test_exif_rotation_is_flagged_and_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", np.zeros((16, 32), np.uint8), exif=exif)
    volume = read_volume(path, spacing_mm=SPACING_MM)
    assert volume.array.shape == (16, 32)
    assert volume.flags == ("exif_orientation_ignored",)


def test_tiff_with_an_orientation_tag_is_an_error(tmp_path):
    path = saved(tmp_path / "a.tif", GREY, tiffinfo={274: 6})
    with pytest.raises(UnsupportedFormatError, match=r"a\.tif.*orientation tag 6"):
        read_volume(path, spacing_mm=SPACING_MM)


def test_geometry_equals_that_of_the_picture(tmp_path):
    path = saved(tmp_path / "a.png", GREY)
    geometry = read_geometry(path, spacing_mm=SPACING_MM)
    assert geometry.shape == (3, 4)
    assert geometry.is_native
    assert geometry.spacing_mm == SPACING_MM


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_truncated_picture_is_an_error(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    path = saved(tmp_path / f"a.{suffix}", pixels)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises((TruncatedFileError, NotAnImageError), match=rf"a\.{suffix}"):
        read_volume(path, spacing_mm=SPACING_MM)


def test_other_content_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(NotAnImageError, match=r"a\.png: not a picture"):
        read_volume(tmp_path / "a.png", spacing_mm=SPACING_MM)


def test_empty_and_missing_files_are_errors(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(EmptyFileError, match=r"a\.png"):
        read_volume(tmp_path / "a.png", spacing_mm=SPACING_MM)
    with pytest.raises(MissingFileError, match=r"b\.png"):
        read_volume(tmp_path / "b.png", spacing_mm=SPACING_MM)


def test_several_frames_are_an_error(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(DimensionsError, match=r"a\.tif.*2 frames"):
        read_volume(tmp_path / "a.tif", spacing_mm=SPACING_MM)

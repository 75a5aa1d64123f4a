"""Colour masks against the arrays they were painted from."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medvision.errors import UsageError
from medvision.volumes.colour_mask import read_colour_mask
from medvision.volumes.colours import (
    UnknownColourError,
    colour_labels,
    picture_colours,
)
from medvision.volumes.errors import MissingSpacingError, UnsupportedPixelsError

SPACING_MM = (0.2, 0.1)
COLOURS = {"#ff0000": 1, "#00FF00": 2, "#0000ff": 300}
RGB = np.zeros((301, 3), np.uint8)
RGB[1], RGB[2], RGB[300] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
LABELS = np.array([[0, 1, 1, 2], [300, 0, 2, 2]])


def read(path, **options):
    return read_colour_mask(path, COLOURS, spacing_mm=SPACING_MM, **options)


def painted(path, labels=LABELS, mode="RGB", **options):
    Image.fromarray(RGB[labels]).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "PNG", "tif", "bmp"])
@pytest.mark.parametrize("turn", [np.asarray, np.fliplr, np.flipud, np.transpose])
def test_painted_labels_come_back(tmp_path, suffix, turn):
    volume = read(painted(tmp_path / f"a.{suffix}", turn(LABELS)))
    np.testing.assert_array_equal(volume.array, turn(LABELS))
    assert volume.is_native
    assert volume.spacing_mm == SPACING_MM


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_opaque_and_palette_pictures_read_by_their_colours(tmp_path, mode):
    volume = read(painted(tmp_path / "a.png", mode=mode))
    np.testing.assert_array_equal(volume.array, LABELS)


def test_a_palette_in_any_order_reads_by_its_colours(tmp_path):
    indexed = Image.fromarray(np.array([[7, 3], [3, 9]], np.uint8), mode="P")
    palette = [17] * 768
    palette[21:24], palette[9:12], palette[27:30] = (0, 255, 0), (0, 0, 0), (255, 0, 0)
    indexed.putpalette(palette)
    indexed.save(tmp_path / "a.png")
    assert read(tmp_path / "a.png").array.tolist() == [[2, 0], [0, 1]]


def test_transparent_pixels_are_background_whatever_their_colour(tmp_path):
    rgba = np.dstack([RGB[LABELS], np.full(LABELS.shape, 255, np.uint8)])
    rgba[0, 1:3, 3], rgba[0, 1, :3] = 0, (12, 34, 56)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    expected = LABELS.copy()
    expected[0, 1:3] = 0
    np.testing.assert_array_equal(read(tmp_path / "a.png").array, expected)


def test_a_transparent_palette_entry_is_background(tmp_path):
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    indexed.putpalette([255, 0, 0, 0, 255, 0])
    indexed.save(tmp_path / "a.png", transparency=0)
    assert read(tmp_path / "a.png").array.tolist() == [[0, 2]]


def test_half_transparent_pixels_are_refused_and_counted(tmp_path):
    rgba = np.dstack([RGB[LABELS], np.full(LABELS.shape, 255, np.uint8)])
    rgba[0, :2, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with pytest.raises(UnknownColourError, match=r"a\.png.*2 half transparent"):
        read(tmp_path / "a.png")


def test_unknown_colours_are_named_with_their_counts(tmp_path):
    rgb = RGB[LABELS]
    rgb[0, :2], rgb[1, 1] = (254, 0, 0), (9, 9, 9)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    told = r"a\.png.*#ff0000, #00ff00.*#fe0000 \(2 px\), #090909 \(1 px\), 3 px in all"
    with pytest.raises(UnknownColourError, match=told):
        read(tmp_path / "a.png")


def test_smoothed_edges_are_refused_even_with_a_small_tolerance(tmp_path):
    large = np.zeros((40, 40), int)
    large[10:30, 10:30] = 1
    picture = Image.fromarray(RGB[large]).resize((57, 57), Image.Resampling.BILINEAR)
    picture.save(tmp_path / "a.png")
    for tolerance in (0, 5):
        with pytest.raises(UnknownColourError, match=r"#[0-9a-f]{2}0000 \(.*tolerance"):
            read(tmp_path / "a.png", tolerance=tolerance)


def test_a_tolerance_takes_up_what_jpeg_changes(tmp_path):
    large = np.zeros((48, 48), int)
    large[16:32, 8:40] = 1  # on the 8 × 8 blocks of JPEG, so that no edge is smeared
    path = painted(tmp_path / "a.jpg", large, quality=95, subsampling=0)
    with pytest.raises(UnknownColourError, match="#fe0000"):
        read(path)
    np.testing.assert_array_equal(read(path, tolerance=8).array, large)


def test_a_tolerance_that_joins_two_colours_is_refused(tmp_path):
    colours = {"#ff0000": 1, "#ff0a00": 2}
    with pytest.raises(UsageError, match=r"5 cannot tell #ff0000 from #ff0a00, 10 apart"):
        colour_labels(np.zeros((1, 1, 4), np.uint8), colours, tolerance=5, item="a")
    assert colour_labels(np.zeros((1, 1, 4), np.uint8), colours, tolerance=4, item="a") == 0


def test_a_tolerance_must_leave_black_to_the_background():
    with pytest.raises(UsageError, match="cannot tell #0a0000 from #000000"):
        colour_labels(np.zeros((1, 1, 4), np.uint8), {"#0a0000": 1}, tolerance=5, item="a")


@pytest.mark.parametrize("text", ["red", "#f00", "ff0000", "#ff00000", "#gg0000"])
def test_colours_are_written_with_six_digits(text):
    with pytest.raises(UsageError, match="expected a colour as #rrggbb"):
        colour_labels(np.zeros((1, 1, 4), np.uint8), {text: 1}, item="a")


def test_one_colour_twice_is_refused():
    with pytest.raises(UsageError, match="#FF0000 is given twice"):
        colour_labels(np.zeros((1, 1, 4), np.uint8), {"#ff0000": 1, "#FF0000": 2}, item="a")


def test_black_may_be_a_structure_and_white_the_background(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "a.png")
    colours = {"#000000": 4, "#ffffff": 0}
    volume = read_colour_mask(tmp_path / "a.png", colours, spacing_mm=SPACING_MM)
    assert volume.array.tolist() == [[4, 0]]


def png_16(path, rgb16):
    """A PNG with 16 bits a channel, written byte by byte: Pillow writes none."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, _ = rgb16.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb16)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def test_sixteen_bit_colour_is_refused_rather_than_cut_to_eight(tmp_path):
    png_16(tmp_path / "a.png", np.full((2, 2, 3), 5, np.uint16))  # its high bytes are all zero
    with pytest.raises(UnsupportedPixelsError, match=r"a\.png.*8-bit.*16"):
        read(tmp_path / "a.png")


def test_only_pictures_have_colours(tmp_path):
    (tmp_path / "a.nii").write_bytes(bytes(400))
    with pytest.raises(UnsupportedPixelsError, match=r"a\.nii: expected a picture"):
        read(tmp_path / "a.nii")


def test_spacing_is_needed_as_for_any_picture(tmp_path):
    with pytest.raises(MissingSpacingError, match="spacing"):
        read_colour_mask(painted(tmp_path / "a.png"), COLOURS)


def test_colours_of_a_picture_are_counted():
    rgba = np.dstack([RGB[LABELS], np.full(LABELS.shape, 255, np.uint8)])
    counts = {"#00ff00": 3, "#000000": 2, "#ff0000": 2, "#0000ff": 1}
    assert picture_colours(rgba) == counts


@given(st.data())
def test_labels_agree_with_a_loop_over_pixels(data):
    known = list(RGB[[0, 1, 2, 300]].tolist())
    noise = st.integers(0, 6)
    pixels = data.draw(st.lists(st.tuples(st.integers(0, 3), noise, noise, noise), min_size=1))
    rgba, expected = [], []
    for which, *offset in pixels:
        rgb = [abs(c - o) for c, o in zip(known[which], offset, strict=True)]
        rgba.append([*rgb, 255])
        expected.append([0, 1, 2, 300][which])
    found = colour_labels(np.array([rgba], np.uint8), COLOURS, tolerance=6, item="a")
    assert found.tolist() == [expected]
    assert found.dtype == np.int32

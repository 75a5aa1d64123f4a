"""2D pictures: depth, colour, spacing, and bad input."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from medvision.errors import UsageError
from medvision.volumes import check_same_grid, read_geometry, read_label_map, read_volume
from medvision.volumes.errors import (
    AffineMismatchError,
    DimensionsError,
    EmptyFileError,
    LabelValuesError,
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


def turned(path, pixels, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(path, pixels, exif=exif)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_exif_rotation_is_flagged_and_not_applied(tmp_path, suffix, orientation):
    path = turned(tmp_path / f"a.{suffix}", np.zeros((16, 32), np.uint8), orientation)
    volume = read_volume(path, spacing_mm=SPACING_MM)
    assert volume.array.shape == (16, 32)
    assert volume.flags == ("exif_orientation_ignored",)


def test_a_picture_to_be_turned_has_no_mask_that_is_not(tmp_path):
    # Upside down, both have one shape: drawn on which of the two?
    pixels = np.zeros((16, 32), np.uint8)
    image = read_volume(turned(tmp_path / "a.jpg", pixels, 3), spacing_mm=SPACING_MM)
    plain = read_label_map(saved(tmp_path / "a.png", pixels), spacing_mm=SPACING_MM)
    alike = read_label_map(turned(tmp_path / "b.png", pixels, 3), spacing_mm=SPACING_MM)
    with pytest.raises(AffineMismatchError, match="case 1: the image asks viewers to turn it"):
        check_same_grid(image, plain, item="case 1")
    with pytest.raises(AffineMismatchError, match="case 1: the label map asks viewers"):
        check_same_grid(plain, alike, item="case 1")
    check_same_grid(image, alike, item="case 1")


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


# Bytes of TIFF and PNG by their published layouts: what is stored is known without a library.

TIFF_TYPES = {"B": 1, "H": 3, "I": 4, "Q": 16}


def tiff_bytes(stored, *, bits, photometric=1, sample_format=1, order="<", big=False, more=()):
    """A TIFF of one uncompressed strip of grey; rows of less than 8 bits fill up to a byte."""
    data = b"".join(packed_row(row, bits, order) for row in stored)
    entries = {
        256: ("I", stored.shape[1]),
        257: ("I", stored.shape[0]),
        258: ("H", bits),
        259: ("H", 1),
        262: ("H", photometric),
        273: ("I", 0),
        277: ("H", 1),
        278: ("I", stored.shape[0]),
        279: ("I", len(data)),
        339: ("H", sample_format),
        **dict(more),
    }
    counter, place, width = ("Q", "Q", 8) if big else ("H", "I", 4)
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8)
    # Byte order and head, the counter, entries of two shorts and two wide fields, the next place.
    n_head = 2 + len(head) + struct.calcsize(counter) + len(entries) * (4 + 2 * width) + width
    entries[273] = ("I", n_head)
    content = (b"II" if order == "<" else b"MM") + head
    content += struct.pack(f"{order}{counter}", len(entries))
    for tag, (kind, value) in sorted(entries.items()):
        content += struct.pack(f"{order}HH{place}", tag, TIFF_TYPES[kind], 1)
        content += struct.pack(f"{order}{kind}", value).ljust(width, b"\0")
    return content + struct.pack(f"{order}{place}", 0) + data


def packed_row(row, bits, order=">"):
    if bits < 8:
        word = "".join(format(int(value), f"0{bits}b") for value in row)
        word += "0" * (-len(word) % 8)
        return int(word, 2).to_bytes(len(word) // 8, "big")
    return np.asarray(row).astype(np.asarray(row).dtype.newbyteorder(order)).tobytes()


def png_bytes(stored, bits, *, colour_type=0, chunks=(), interlaced=False):
    """A PNG with filter 0 on each row; interlaced by Adam7."""
    height, width = stored.shape
    passes = [(0, 0, 1, 1)]
    if interlaced:  # first row and column, steps between rows and columns
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
        passes += [(0, 1, 2, 2), (1, 0, 2, 1)]
    rows = (row for y, x, down, right in passes for row in stored[y::down, x::right] if row.size)
    data = b"".join(b"\0" + packed_row(row, bits) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, int(interlaced))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def both(path, content):
    """A file as an image and as a label map."""
    path.write_bytes(content)
    image = read_volume(path, spacing_mm=SPACING_MM).array
    return image, read_label_map(path, spacing_mm=SPACING_MM).array


def up_to(bits, dtype=np.uint8):
    return (np.arange(77).reshape(7, 11) * 7919 % 2**bits).astype(dtype)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_grey_pngs_hold_the_label_numbers_they_store(tmp_path, bits):
    stored = up_to(bits)
    image, labels = both(tmp_path / "a.png", png_bytes(stored, bits))
    np.testing.assert_array_equal(labels, stored)
    np.testing.assert_array_equal(image, stored * (255 // (2**bits - 1)))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_any_depth_hold_label_numbers(tmp_path, bits):
    stored = up_to(bits)
    colours = np.random.default_rng(0).integers(0, 256, 3 * 2**bits, dtype=np.uint8).tobytes()
    content = png_bytes(stored, bits, colour_type=3, chunks=[(b"PLTE", colours)])
    (tmp_path / "a.png").write_bytes(content)
    labels = read_label_map(tmp_path / "a.png", spacing_mm=SPACING_MM)
    np.testing.assert_array_equal(labels.array, stored)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"tRNS", struct.pack(">H", 3)),
        (b"sBIT", b"\x05"),
        (b"bKGD", struct.pack(">H", 1)),
    ],
)
def test_what_a_png_says_of_display_changes_no_number(tmp_path, name, body, bits):
    stored = up_to(bits, ">u2" if bits == 16 else "u1")
    image, labels = both(tmp_path / "a.png", png_bytes(stored, bits, chunks=[(name, body)]))
    np.testing.assert_array_equal(image, stored)
    np.testing.assert_array_equal(labels, stored)


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_interlaced_pngs_read_alike(tmp_path, bits):
    stored = up_to(bits, ">u2" if bits == 16 else "u1")
    _, labels = both(tmp_path / "a.png", png_bytes(stored, bits, interlaced=True))
    np.testing.assert_array_equal(labels, stored)


def test_pixels_per_metre_of_a_png_are_no_spacing(tmp_path):
    chunks = [(b"pHYs", struct.pack(">IIB", 5000, 10000, 1))]
    (tmp_path / "a.png").write_bytes(png_bytes(up_to(8), 8, chunks=chunks))
    with pytest.raises(MissingSpacingError, match="--spacing-mm"):
        read_volume(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_tiffs_whose_least_value_is_white_are_shown_so(tmp_path, bits):
    stored = up_to(bits, np.uint16 if bits == 16 else np.uint8)
    image, labels = both(tmp_path / "a.tif", tiff_bytes(stored, bits=bits, photometric=0))
    largest = 2**bits - 1
    scale = 1 if bits == 16 else 255 // largest
    np.testing.assert_array_equal(image, (largest - stored) * scale)
    np.testing.assert_array_equal(labels, stored)


def test_one_bit_tiffs_are_one_where_they_are_white(tmp_path):
    stored = up_to(1)
    for photometric, white in ((1, stored), (0, 1 - stored)):
        content = tiff_bytes(stored, bits=1, photometric=photometric)
        for found in both(tmp_path / "a.tif", content):
            np.testing.assert_array_equal(found, white)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "i4", "f4"])
def test_tiff_numbers_keep_sign_and_order(tmp_path, kind, order):
    stored = np.array([[0, 5, 100], [1, 127, 7]]).astype(kind)
    if kind[0] != "u":
        stored[0, 1] = -5
    form = {"u": 1, "i": 2, "f": 3}[kind[0]]
    content = tiff_bytes(stored, bits=8 * int(kind[1]), sample_format=form, order=order)
    (tmp_path / "a.tif").write_bytes(content)
    found = read_volume(tmp_path / "a.tif", spacing_mm=SPACING_MM).array
    np.testing.assert_array_equal(found, stored)


def test_unsigned_32_bits_of_a_tiff_are_no_negative_numbers(tmp_path):
    stored = np.array([[0, 3_000_000_000]], np.uint32)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(stored, bits=32))
    np.testing.assert_array_equal(
        read_volume(tmp_path / "a.tif", spacing_mm=SPACING_MM).array, stored
    )
    with pytest.raises(LabelValuesError, match=r"a\.tif.*0 to 3e\+09"):
        read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM)


def test_negative_labels_are_an_error_in_any_depth(tmp_path):
    for kind in ("i1", "i2", "i4"):
        stored = np.array([[0, -1]]).astype(kind)
        content = tiff_bytes(stored, bits=8 * int(kind[1]), sample_format=2)
        (tmp_path / "a.tif").write_bytes(content)
        with pytest.raises(LabelValuesError, match=r"a\.tif.*values from -1 to 0"):
            read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM)


def test_fractions_in_a_float_label_map_are_an_error(tmp_path):
    for value in (0.5, np.nan, np.inf):
        stored = np.array([[0, value]], np.float32)
        (tmp_path / "a.tif").write_bytes(tiff_bytes(stored, bits=32, sample_format=3))
        with pytest.raises(LabelValuesError, match=r"a\.tif"):
            read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM)


@pytest.mark.parametrize("read", [read_volume, read_label_map])
@pytest.mark.parametrize(("kind", "form"), [("f8", 3), ("f2", 3), ("u8", 1), ("i8", 2), ("c8", 6)])
def test_tiff_numbers_that_pillow_lacks_are_named_as_such(tmp_path, kind, form, read):
    stored = np.ones((4, 4), kind)
    content = tiff_bytes(stored, bits=8 * int(kind[1]), sample_format=form)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnsupportedPixelsError, match=r"a\.tif: TIFF pixels of a kind Pillow") as it:
        read(tmp_path / "a.tif", spacing_mm=SPACING_MM)
    assert it.value.reason == "unsupported_pixels"


@pytest.mark.parametrize("kind", ["i4", "f4"])
def test_wide_numbers_whose_least_is_white_are_refused(tmp_path, kind):
    stored = np.ones((4, 4), kind)
    form = {"i4": 2, "f4": 3}[kind]
    content = tiff_bytes(stored, bits=32, sample_format=form, photometric=0)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnsupportedPixelsError, match=r"a\.tif"):
        read_volume(tmp_path / "a.tif", spacing_mm=SPACING_MM)


def test_big_tiff_is_read(tmp_path):
    stored = up_to(8)
    image, labels = both(tmp_path / "a.tif", tiff_bytes(stored, bits=8, big=True))
    np.testing.assert_array_equal(image, stored)
    np.testing.assert_array_equal(labels, stored)


@pytest.mark.parametrize("resolution_unit", [1, 2, 3])
def test_dots_of_a_tiff_are_no_spacing_in_any_unit(tmp_path, resolution_unit):
    tags = {282: 10.0, 283: 5.0, 296: resolution_unit}
    with pytest.raises(MissingSpacingError, match="--spacing-mm"):
        read_volume(saved(tmp_path / "a.tif", GREY, tiffinfo=tags))


UNITS_MM = {"mm": 1, "cm": 10, "m": 1000, "inch": 25.4, "um": 1e-3, "micron": 1e-3}


@pytest.mark.parametrize("unit", [*UNITS_MM, "\\u00B5m", "µm"])
def test_imagej_units(tmp_path, unit):
    path = save_imagej(tmp_path / "a.tif", unit=unit)
    # Pillow writes a question mark for µ; ImageJ writes it in Latin-1.
    path.write_bytes(path.read_bytes().replace(b"unit=?m", b"unit=\xb5m"))
    unit_mm = UNITS_MM.get(unit, 1e-3)
    assert read_volume(path).spacing_mm == pytest.approx((0.2 * unit_mm, 0.1 * unit_mm))


def test_imagej_may_give_y_a_unit_of_its_own(tmp_path):
    volume = read_volume(save_imagej(tmp_path / "a.tif", unit="mm\nyunit=cm"))
    assert volume.spacing_mm == pytest.approx((2.0, 0.1))


def test_planes_behind_the_first_are_not_left_out(tmp_path):
    tags = {270: "ImageJ=1.53\nimages=12\nslices=12\n"}
    with pytest.raises(DimensionsError, match=r"a\.tif.*12 frames"):
        read_volume(saved(tmp_path / "a.tif", GREY, tiffinfo=tags), spacing_mm=SPACING_MM)
    content = tiff_bytes(up_to(8), bits=8, more={32997: ("I", 3)}.items())
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(DimensionsError, match=r"b\.tif.*3 frames"):
        read_volume(tmp_path / "b.tif", spacing_mm=SPACING_MM)


def test_animated_png_is_an_error(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY + 1)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DimensionsError, match=r"a\.png.*2 frames"):
        read_volume(tmp_path / "a.png", spacing_mm=SPACING_MM)


def test_animated_gif_by_another_name_is_an_error(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY.T.copy()).resize((4, 3))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(DimensionsError, match=r"a\.png.*2 frames"):
        read_volume(tmp_path / "a.png", spacing_mm=SPACING_MM)


@pytest.mark.parametrize("suffix", ["webp", "gif", "jp2"])
def test_other_kinds_of_picture_are_refused(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"anything")
    with pytest.raises(UnsupportedFormatError, match=rf"a\.{suffix}"):
        read_volume(tmp_path / f"a.{suffix}", spacing_mm=SPACING_MM)


def test_lossy_label_maps_are_refused(tmp_path):
    labels = np.zeros((16, 16), np.uint8)
    labels[4:12, 4:12] = 1
    paths = [saved(tmp_path / "a.jpg", labels), saved(tmp_path / "b.jpg", labels)]
    paths[1] = paths[1].rename(tmp_path / "b.png")
    paths.append(saved(tmp_path / "c.tif", labels, compression="jpeg"))
    for path in paths:
        with pytest.raises(UnsupportedPixelsError, match=rf"{path.name}.*lossy compression"):
            read_label_map(path, spacing_mm=SPACING_MM)
        assert read_volume(path, spacing_mm=SPACING_MM).shape == labels.shape


def test_jpeg_of_four_inks_becomes_luminance(tmp_path):
    path = saved(tmp_path / "a.jpg", np.full((16, 16), 200, np.uint8), "CMYK", quality=100)
    np.testing.assert_allclose(read_volume(path, spacing_mm=SPACING_MM).array, 200, atol=2)


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_colour_tiffs_of_either_plane_order_become_luminance(tmp_path, planes):
    tifffile = pytest.importorskip("tifffile", reason="writes planar colour")
    rgb = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    stored = rgb if planes == "contig" else np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planes)
    found = read_volume(tmp_path / "a.tif", spacing_mm=SPACING_MM).array
    np.testing.assert_allclose(found, rgb @ np.array([0.299, 0.587, 0.114]), atol=1)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_tiled_and_compressed_tiffs_read_as_another_library_reads_them(tmp_path, kind):
    tifffile = pytest.importorskip("tifffile", reason="writes tiles")
    stored = np.random.default_rng(0).integers(0, 250, (40, 56)).astype(kind)
    for photometric in ("minisblack", "miniswhite"):
        options = {"tile": (16, 16), "compression": "zlib", "photometric": photometric}
        tifffile.imwrite(tmp_path / "a.tif", stored, **options)
        labels = read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM).array
        np.testing.assert_array_equal(labels, tifffile.imread(tmp_path / "a.tif"))


def test_bmp_of_few_bits_holds_label_numbers(tmp_path):
    labels = (np.arange(35).reshape(5, 7) % 5).astype(np.uint8)
    picture = Image.fromarray(labels).convert("P")
    picture.putdata(labels.ravel().tolist())
    picture.putpalette([9, 9, 9, 200, 10, 10, 10, 200, 10, 1, 2, 3, 90, 80, 70])
    picture.save(tmp_path / "a.bmp")
    found = read_label_map(tmp_path / "a.bmp", spacing_mm=SPACING_MM).array
    np.testing.assert_array_equal(found, labels)

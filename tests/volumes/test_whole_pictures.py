"""Damaged and shortened pictures: each byte that a checksum covers, each length that is known."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from medvision.errors import ItemError
from medvision.volumes import read_label_map, read_volume
from medvision.volumes.colour_mask import read_colour_mask
from medvision.volumes.errors import (
    CorruptFileError,
    TruncatedFileError,
    UnsupportedFormatError,
)
from medvision.volumes.whole_pictures import png_pixel_bytes
from tests.volumes.test_pictures import png_bytes, tiff_bytes

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

DISC = (np.hypot(*np.mgrid[-20:20, -25:25]) < 15).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 200, (40, 50), dtype=np.uint8)
SPACING_MM = (1.0, 1.0)


def encoded(pixels, form, mode=None, **options):
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, form, **options)
    return file.getvalue()


def silently_wrong(path, content, places, flip=0x10, read=read_label_map):
    """Places of a file at which a changed byte gives another picture and no error."""
    path.write_bytes(content)
    truth = read(path, spacing_mm=SPACING_MM).array
    wrong = []
    for at in places:
        damaged = bytearray(content)
        damaged[at] ^= flip
        path.write_bytes(damaged)
        try:
            found = read(path, spacing_mm=SPACING_MM).array
        except ItemError:
            continue
        if not np.array_equal(found, truth):
            wrong.append(at)
    return wrong


def chunk(name, body):
    checksum = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def png_of(stream, shape=(40, 50), *more):
    """A PNG of 8-bit grey whose chunks all state the right checksum, whatever its pixels are."""
    head = struct.pack(">IIBBBBB", shape[1], shape[0], 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", stream), *more, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


ROWS = b"".join(b"\0" + row.tobytes() for row in DISC)


@pytest.mark.parametrize(
    "content",
    [
        encoded(DISC, "PNG"),
        encoded(np.arange(600, dtype=np.uint16).reshape(20, 30), "PNG"),
        encoded(np.stack([DISC * 255] * 3, axis=2), "PNG"),
        png_bytes(DISC, 2, interlaced=True),
        png_bytes(DISC, 1, colour_type=3, chunks=[(b"PLTE", bytes(6))]),
    ],
    ids=["grey", "16 bits", "colour", "interlaced", "palette"],
)
def test_no_changed_byte_of_a_png_goes_unseen(tmp_path, content):
    places = range(8, len(content))
    assert silently_wrong(tmp_path / "a.png", content, places) == []


def test_the_last_bytes_of_a_png_s_pixels_are_compared(tmp_path):
    # Pillow has all rows before it reads the checksum, and moves an edge without a word.
    content = encoded(DISC, "PNG")
    end = content.index(b"IEND") - 8
    for at in range(end - 12, end):
        damaged = bytearray(content)
        damaged[at] ^= 1
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=r"a\.png: chunk 'IDAT'.*another checksum"):
            read_label_map(tmp_path / "a.png", spacing_mm=SPACING_MM)


@pytest.mark.parametrize(
    ("stream", "kind", "told"),
    [
        (zlib.compress(ROWS)[:-1] + b"\0", CorruptFileError, "packed data are damaged"),
        (zlib.compress(ROWS)[:-4], TruncatedFileError, "end too early, after 2040 bytes"),
        (zlib.compress(ROWS[:-51]), CorruptFileError, "expected 2040 bytes.*found 1989"),
        (zlib.compress(ROWS + ROWS), CorruptFileError, "expected 2040 bytes.*found 2041 or more"),
        (zlib.compress(ROWS + b"\0"), CorruptFileError, "expected 2040 bytes.*found 2041"),
    ],
)
def test_pixels_of_a_png_whose_chunks_are_whole_are_counted_and_summed(
    tmp_path, stream, kind, told
):
    (tmp_path / "a.png").write_bytes(png_of(stream))
    with pytest.raises(kind, match=rf"a\.png: pixels of the PNG: .*{told}"):
        read_label_map(tmp_path / "a.png", spacing_mm=SPACING_MM)


def test_a_png_may_be_cut_into_chunks_and_be_followed_by_anything(tmp_path):
    stream = zlib.compress(ROWS)
    more = [(b"IDAT", stream[40:]), (b"tEXt", b"Comment\0by hand")]
    for content in (png_of(stream[:40], DISC.shape, *more), png_of(stream) + b"more"):
        (tmp_path / "a.png").write_bytes(content)
        found = read_label_map(tmp_path / "a.png", spacing_mm=SPACING_MM).array
        np.testing.assert_array_equal(found, DISC)


def test_a_damaged_chunk_behind_the_pixels_is_told(tmp_path):
    content = png_of(zlib.compress(ROWS), DISC.shape, (b"tEXt", b"Comment\0by hand"))
    (tmp_path / "a.png").write_bytes(content.replace(b"by hand", b"by mind"))
    with pytest.raises(CorruptFileError, match="chunk 'tEXt'"):
        read_volume(tmp_path / "a.png", spacing_mm=SPACING_MM)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (5, 9), (17, 33)])
def test_bytes_of_a_png_are_those_that_a_writer_packs(interlaced, shape):
    for bits in (1, 2, 4, 8):
        content = png_bytes(np.zeros(shape, np.uint8), bits, interlaced=interlaced)
        start = content.index(b"IDAT") + 4
        unpacked = zlib.decompress(content[start : content.index(b"IEND") - 8])
        expected = png_pixel_bytes(shape[1], shape[0], bits, interlaced=interlaced)
        assert len(unpacked) == expected


def test_colour_masks_are_checked_alike(tmp_path):
    rgb = np.zeros((*DISC.shape, 3), np.uint8)
    rgb[DISC > 0, 0] = 255
    content = bytearray(encoded(rgb, "PNG"))
    content[content.index(b"IEND") - 10] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"a\.png"):
        read_colour_mask(tmp_path / "a.png", {"#ff0000": 1}, spacing_mm=SPACING_MM)


@pytest.mark.parametrize("options", [{"rowsperstrip": 7}, {"tile": (16, 32)}, {"predictor": True}])
def test_no_changed_byte_of_packed_tiff_pixels_goes_unseen(tmp_path, options):
    tifffile = pytest.importorskip("tifffile", reason="writes tiles and strips of any size")
    pixels = DISC + (NOISE > 195).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib", **options)
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        places = [
            place
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            for place in range(start, start + count)
        ]
    assert silently_wrong(tmp_path / "a.tif", content, places) == []


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_a_changed_run_of_an_unsummed_tiff_is_told_by_its_length(tmp_path, compression):
    # Neither has a checksum. Nearly all bytes of a mask's runs say how long one is.
    content = encoded(DISC, "TIFF", compression=compression)
    with Image.open(io.BytesIO(content)) as picture:
        start, count = picture.tag_v2[273][0], picture.tag_v2[279][0]
    wrong = silently_wrong(tmp_path / "a.tif", content, range(start, start + count), flip=4)
    assert len(wrong) < 0.6 * count
    path = tmp_path / "b.tif"
    path.write_bytes(content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :])
    with pytest.raises(ItemError, match=r"b\.tif"):
        read_label_map(path, spacing_mm=SPACING_MM)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("pixels", [DISC, NOISE, NOISE.astype(np.uint16) * 300])
def test_whole_tiffs_are_read(tmp_path, compression, pixels):
    (tmp_path / "a.tif").write_bytes(encoded(pixels, "TIFF", compression=compression))
    found = read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM).array
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("compression", ["group4", "jpeg", "tiff_lzma", "zstd"])
def test_tiffs_of_other_packing_are_read(tmp_path, compression):
    pixels = DISC * 255
    mode = "1" if compression == "group4" else "L"
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "TIFF", compression=compression)
    (tmp_path / "a.tif").write_bytes(file.getvalue())
    found = read_volume(tmp_path / "a.tif", spacing_mm=SPACING_MM).array
    np.testing.assert_array_equal(found > 0.5 * found.max(), DISC > 0)


@pytest.mark.parametrize(
    ("tag", "value", "kind", "told"),
    [
        (279, 1999, CorruptFileError, "strip 1 of 1: expected 2000 bytes.*found 1999"),
        (279, 2100, TruncatedFileError, "strip 1 of 1: expected 2100 bytes.*found a file of"),
        (279, 0, TruncatedFileError, "strip 1 of 1: expected 0 bytes"),
        (278, 20, CorruptFileError, "expected 2 strips.*found places of 1 and lengths of 1"),
        (256, 49, CorruptFileError, "strip 1 of 1: expected 1960 bytes.*found 2000"),
        (257, 39, CorruptFileError, "strip 1 of 1: expected 1950 bytes.*found 2000"),
    ],
)
def test_a_tiff_whose_numbers_contradict_each_other_is_an_error(tmp_path, tag, value, kind, told):
    content = tiff_bytes(DISC, bits=8, more={tag: ("I", value)}.items())
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(kind, match=rf"a\.tif: {told}"):
        read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM)


def test_a_strip_may_be_filled_up_to_words(tmp_path):
    (tmp_path / "a.tif").write_bytes(
        tiff_bytes(DISC, bits=8, more={279: ("I", 2002)}.items()) + b"\0\0"
    )
    found = read_label_map(tmp_path / "a.tif", spacing_mm=SPACING_MM).array
    np.testing.assert_array_equal(found, DISC)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("png", encoded(NOISE, "PNG")),
        ("jpg", encoded(NOISE, "JPEG")),
        ("jpg", encoded(NOISE, "JPEG", progressive=True)),
        ("bmp", encoded(NOISE, "BMP")),
        ("tif", encoded(NOISE, "TIFF", compression="jpeg")),
        ("tif", encoded(NOISE, "TIFF", compression="tiff_lzw")),
        ("tif", encoded(NOISE, "TIFF", compression="packbits")),
        ("tif", encoded(NOISE, "TIFF", compression="raw")),
    ],
)
def test_a_picture_that_is_cut_anywhere_has_all_pixels_or_is_an_error(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    truth = read_volume(path, spacing_mm=SPACING_MM).array
    n_errors, ends = 0, range(1, len(content), 37)
    for end in ends:
        path.write_bytes(content[:end])
        try:  # at the end of some are bytes that hold no pixel
            np.testing.assert_array_equal(read_volume(path, spacing_mm=SPACING_MM).array, truth)
        except ItemError:
            n_errors += 1
    assert n_errors >= len(ends) - 1


@pytest.mark.parametrize(
    ("suffix", "form", "options"), [("bmp", "BMP", {}), ("tif", "TIFF", {}), ("jpg", "JPEG", {})]
)
def test_what_no_checksum_covers_goes_unseen(tmp_path, suffix, form, options):
    # Documented as such: nothing in the file could tell.
    content = encoded(NOISE, form, **options)
    places = range(len(content) // 2, len(content) // 2 + 40)
    assert silently_wrong(tmp_path / f"a.{suffix}", content, places, read=read_volume)


def test_a_jpeg_without_its_end_is_cut_short(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(NOISE, "JPEG")[:-2])
    with pytest.raises(TruncatedFileError, match=r"a\.jpg"):
        read_volume(tmp_path / "a.jpg", spacing_mm=SPACING_MM)


def test_a_part_that_is_missing_from_a_jpeg_is_told_by_its_restarts(tmp_path):
    content = encoded(NOISE, "JPEG", restart_marker_rows=1)
    second, third = (content.index(bytes([0xFF, 0xD0 + n])) for n in (1, 2))
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_volume(tmp_path / "a.jpg", spacing_mm=SPACING_MM).shape == NOISE.shape
    (tmp_path / "a.jpg").write_bytes(content[:second] + content[third:])
    with pytest.raises(CorruptFileError, match=r"a\.jpg: parts of the JPEG are missing"):
        read_volume(tmp_path / "a.jpg", spacing_mm=SPACING_MM)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PPM", "TGA"])
def test_another_format_under_the_name_of_one_is_refused(tmp_path, form):
    (tmp_path / "a.png").write_bytes(encoded(DISC, form))
    with pytest.raises(ItemError, match=r"a\.png.*(found|not a picture)") as error:
        read_volume(tmp_path / "a.png", spacing_mm=SPACING_MM)
    assert isinstance(error.value, UnsupportedFormatError) or form == "TGA"

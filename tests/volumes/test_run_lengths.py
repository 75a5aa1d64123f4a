"""Lengths of packed TIFF data, against what libtiff packs."""

import io

import numpy as np
import pytest
from PIL import Image

from medvision.volumes.run_lengths import lzw_length, packbits_length

LENGTHS = {"tiff_lzw": lzw_length, "packbits": packbits_length}


def packed(pixels, compression):
    """What libtiff packs an array into, as one strip."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(
        file, "TIFF", compression=compression, tiffinfo={278: pixels.shape[0]}
    )
    with Image.open(file) as picture:
        (start,), (count,) = picture.tag_v2[273], picture.tag_v2[279]
    return file.getvalue()[start : start + count]


@pytest.mark.parametrize("compression", LENGTHS)
def test_what_libtiff_packs_gives_its_length(compression):
    rng = np.random.default_rng(0)
    for n_values in (1, 2, 5, 256):
        for shape in ((1, 1), (3, 7), (90, 300)):
            pixels = rng.integers(0, n_values, shape, dtype=np.uint8)
            stream = memoryview(packed(pixels, compression))
            assert LENGTHS[compression](stream, pixels.size) == pixels.size


@pytest.mark.parametrize("compression", LENGTHS)
def test_data_that_end_early_give_less_and_data_left_over_are_told(compression):
    pixels = np.random.default_rng(0).integers(0, 3, (90, 300), dtype=np.uint8)
    stream = packed(pixels, compression)
    length = LENGTHS[compression]
    assert length(memoryview(stream[: len(stream) // 2]), pixels.size) < pixels.size
    assert length(memoryview(stream), pixels.size - 300) in (-1, pixels.size)
    assert length(memoryview(stream), pixels.size + 300) in (-1, pixels.size)


@pytest.mark.parametrize(
    "codes", [(256, 300), (256, 65, 300), (300,), (256, 258)], ids=lambda codes: str(codes)
)
def test_a_code_that_nothing_has_defined_is_none(codes):
    bits = "".join(format(code, "09b") for code in codes).ljust(48, "0")
    assert lzw_length(memoryview(int(bits, 2).to_bytes(6, "big")), 100) == -1

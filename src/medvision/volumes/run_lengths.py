"""How many bytes packed data of a TIFF would give, without unpacking them.

Neither PackBits nor LZW has a checksum. But a changed byte mostly changes the length of what
follows, and that is known. What it does not change, as one value of a literal run, goes unseen.
"""

import numba
import numpy as np
import numpy.typing as npt

_CLEAR, _END, _FIRST_CODE, _MOST_CODES = 256, 257, 258, 4096
_LEFT_BYTES = 5
"""At most after the last value: two codes that carry none, and one byte to fill up."""


def packbits_length(packed: memoryview, expected: int) -> int:
    """Bytes that runs give (TIFF 6.0, section 9); -1 where they are no runs, or leave some over.

    Example:
        Three literal bytes, then one byte four times:

        >>> packbits_length(memoryview(bytes([2, 7, 8, 9, 253, 5])), 7)
        7
    """
    return int(_packbits_length(np.frombuffer(packed, dtype=np.uint8), expected))


def lzw_length(packed: memoryview, expected: int) -> int:
    """Bytes that LZW codes give (TIFF 6.0, section 13); -1 where they are none, or leave some over.

    Codes of very old files, whose low bits come first, are taken to give what is expected.

    Example:
        Nine bits each: clear, 65, its string and 65 once more (258), end.

        >>> bits = "".join(format(code, "09b") for code in (256, 65, 258, 257))
        >>> lzw_length(memoryview(int(bits.ljust(40, "0"), 2).to_bytes(5, "big")), 3)
        3
    """
    if len(packed) > 1 and packed[0] == 0 and packed[1] & 1:
        return expected
    return int(_lzw_length(np.frombuffer(packed, dtype=np.uint8), expected))


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _packbits_length(packed: npt.NDArray[np.uint8], expected: int) -> int:
    at, given = 0, 0
    while given < expected:
        if at >= len(packed):
            return given
        head = int(packed[at])
        if head < 128:
            given += head + 1
            at += head + 2
        elif head > 128:
            given += 257 - head
            at += 2
        else:
            at += 1
    left = len(packed) - at
    return given if 0 <= left <= 1 else -1


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _lzw_length(packed: npt.NDArray[np.uint8], expected: int) -> int:
    lengths = np.ones(_MOST_CODES + 1, dtype=np.int64)
    width, following, before, given = 9, _FIRST_CODE, -1, 0
    bits, n_bits, at = 0, 0, 0
    while given < expected:
        while n_bits < width:
            if at >= len(packed):
                return given
            bits = (bits << 8 | int(packed[at])) & 0xFFFFFF
            n_bits += 8
            at += 1
        n_bits -= width
        code = bits >> n_bits & ((1 << width) - 1)
        if code == _END:
            return given
        if code == _CLEAR:
            width, following, before = 9, _FIRST_CODE, -1
            continue
        # The next code is that which this one completes; a first one is a byte.
        if (
            code > following
            or (before < 0 and code > 255)
            or (before >= 0 and following >= _MOST_CODES)
        ):
            return -1
        if before >= 0:
            lengths[following] = lengths[before] + 1
            following += 1
        given += lengths[code]
        before = code
        # Codes grow one code early.
        if following >= (1 << width) - 1 and width < 12:
            width += 1
    return given if len(packed) - at <= _LEFT_BYTES else -1

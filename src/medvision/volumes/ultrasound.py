"""Pixel spacing of ultrasound pictures: DICOM states it by region (PS3.3, C.8.5.5), in cm.

A picture may hold several regions of different scale, and others, of Doppler curves, whose axes are
seconds. One spacing is that of the picture only where all regions of lengths agree.
"""

import mmap
import re
import struct
from pathlib import Path

import numpy as np

from medvision.volumes.errors import MissingSpacingError

CM = 3
"""The code of centimetres, PS3.3, C.8.5.5.1.15."""

AGREEMENT = 1e-3
"""Largest relative difference of two spacings that are one: files round them."""

# Group 0018, explicit or implicit little-endian: GDCM does not show what is inside sequences.
_FIELD = re.compile(
    rb"\x18\x00(?:"
    rb"(?P<unit>[\x24\x26])\x60(?:US\x02\x00|\x02\x00\x00\x00)(?P<code>..)|"
    rb"(?P<delta>[\x2c\x2e])\x60(?:FD\x08\x00|\x08\x00\x00\x00)(?P<size>.{8}))",
    re.DOTALL,
)


def region_spacing_mm(path: Path, pixel_spacing_mm: tuple[float, ...]) -> tuple[float, ...]:
    """Spacing (y, x) in mm that the regions of a picture state; () where none states a length.

    Args:
        path: The file.
        pixel_spacing_mm: What the file states of the picture as a whole; () for nothing.

    Raises:
        MissingSpacingError: Regions disagree with each other, or with that.
    """
    stated = _regions_mm(path)
    stated += [pixel_spacing_mm] if stated and len(pixel_spacing_mm) == 2 else []
    if not stated:
        return ()
    if not np.allclose(stated, stated[0], rtol=AGREEMENT, atol=0):
        found = ", ".join(f"{y_mm:g} × {x_mm:g}" for y_mm, x_mm in dict.fromkeys(stated))
        msg = (
            f"{path}: expected one pixel size in all regions of the ultrasound picture, found "
            f"{found} mm; pass --spacing-mm Y,X, or --spacing-mm unknown for detection and count"
        )
        raise MissingSpacingError(msg)
    return stated[0]


def _regions_mm(path: Path) -> list[tuple[float, ...]]:
    """(y, x) of each region whose axes are both lengths."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = content.find(b"\xe0\x7f\x10\x00")  # pixels may hold any bytes
        fields = list(_FIELD.finditer(content[: end if end > 0 else len(content)]))
    found: list[tuple[float, ...]] = []
    region: dict[bytes, float] = {}
    for field in fields:
        if field["unit"]:
            region[field["unit"]] = struct.unpack("<H", field["code"])[0]
        else:
            region[field["delta"]] = struct.unpack("<d", field["size"])[0]
        if field["delta"] == b"\x2e":  # the last of a region: tags stand in ascending order
            units = {region.get(b"\x24"), region.get(b"\x26")}
            sizes = (abs(region.get(b"\x2e", 0.0)) * 10, abs(region.get(b"\x2c", 0.0)) * 10)
            found += [sizes] if units == {CM} else []
            region = {}
    return found

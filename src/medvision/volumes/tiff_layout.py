"""Where the pixels of a TIFF lie: its strips or tiles, and how many bytes each has to give."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvision.volumes.errors import CorruptFileError

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 262, 266
_SAMPLES, _ROWS_PER_STRIP, _PLANES, COMPRESSION = 277, 278, 284, 259
_STRIPS, _TILES = (273, 279), (324, 325)
_TILE_WIDTH, _TILE_HEIGHT, _SUBSAMPLING = 322, 323, 530
"""Numbers of tags (TIFF 6.0); of strips and of tiles, offsets and byte counts."""
_YCBCR, _SEPARATE, UNPACKED, _LSB_FIRST = 6, 2, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A strip or tile.

    Attributes:
        name: For messages.
        offset: Its first byte in the file.
        n_bytes: Of it in the file.
        lengths: Bytes it may give: of its own rows, or, as some programs write the last strip, of
            as many as the others have.
        bits_in_order: Whether bytes begin with their highest bit.
    """

    name: str
    offset: int
    n_bytes: int
    lengths: tuple[int, ...]
    bits_in_order: bool


def strips(path: Path, tags: Mapping[int, Any]) -> Iterator[Strip]:
    """Strips or tiles of a TIFF of one picture, in order.

    Args:
        path: For messages.
        tags: Number to value, as Pillow reads them.

    Raises:
        CorruptFileError: There are not as many as the picture needs.
    """
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    is_tiled = _TILES[0] in tags
    kind = "tile" if is_tiled else "strip"
    columns = int(tags[_TILE_WIDTH]) if is_tiled else width
    rows = (
        int(tags[_TILE_HEIGHT]) if is_tiled else min(int(tags.get(_ROWS_PER_STRIP, height)), height)
    )
    n_samples = int(tags.get(_SAMPLES, 1))
    n_planes = n_samples if tags.get(_PLANES) == _SEPARATE else 1
    down = -(-height // max(rows, 1))
    expected = down * -(-width // max(columns, 1)) * n_planes
    offsets, counts = (_listed(tags.get(tag, ())) for tag in (_TILES if is_tiled else _STRIPS))
    if not counts and tags.get(COMPRESSION, UNPACKED) == UNPACKED:  # old programs leave them out
        counts = [
            _length(tags, columns, min(rows, height - n % down * rows)) for n in range(expected)
        ]
    if len(offsets) != expected or len(counts) != expected:
        msg = (
            f"{path}: expected {expected} {kind}s by the sizes of the TIFF, found places of "
            f"{len(offsets)} and lengths of {len(counts)}; fetch it again"
        )
        raise CorruptFileError(msg)
    for n, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
        own_rows = rows if is_tiled else min(rows, height - n % down * rows)
        yield Strip(
            name=f"{kind} {n + 1} of {expected}",
            offset=offset,
            n_bytes=count,
            lengths=tuple(dict.fromkeys(_length(tags, columns, r) for r in (own_rows, rows))),
            bits_in_order=tags.get(_FILL_ORDER) != _LSB_FIRST,
        )


def _listed(value: Any) -> list[int]:
    return [int(one) for one in value] if isinstance(value, tuple | list) else [int(value)]


def _length(tags: Mapping[int, Any], columns: int, rows: int) -> int:
    """Bytes of some rows, unpacked; each row fills up to whole bytes."""
    bits = _listed(tags.get(_BITS, 1))
    n_samples = int(tags.get(_SAMPLES, 1))
    if tags.get(_PLANES) == _SEPARATE:
        return rows * -(-columns * bits[0] // 8)
    if tags.get(_PHOTOMETRIC) == _YCBCR:
        # Two chroma values for each block of so many columns and rows (TIFF 6.0, section 21).
        right, down = tags.get(_SUBSAMPLING, (2, 2))
        blocks = -(-columns // right) * -(-rows // down)
        return int(blocks * (right * down + 2) * bits[0] // 8)
    per_pixel = sum(bits) if len(bits) == n_samples else bits[0] * n_samples
    return rows * -(-columns * per_pixel // 8)

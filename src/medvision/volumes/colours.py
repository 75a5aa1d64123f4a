"""Masks drawn in colours: each declared colour is a label, black and see-through are background.

Only exact colours are a label unless the caller allows a tolerance: a mask that was smoothed,
resized or saved as JPEG has mixtures at its edges, and a mixture of two structures may be the
colour of a third.
"""

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.errors import ItemError, UsageError
from medvision.volumes.errors import UnsupportedPixelsError

RgbaArray = npt.NDArray[np.uint8]

_BLACK = 0
_NAMED = 6
"""Most colours that a message names."""


class UnknownColourError(ItemError):
    """A mask holds colours that no label is declared for."""

    reason = "unknown_colour"


def colour_code(text: str) -> int:
    """The number 0xRRGGBB of a colour as web pages write it.

    Raises:
        UsageError: Not `#rrggbb`.

    Example:
        >>> colour_code("#ff8000") == 0xFF8000
        True
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        msg = f"expected a colour as #rrggbb, such as #ff0000 for red, found {text!r}"
        raise UsageError(msg)
    return int(text[1:], 16)


def colour_labels(
    rgba: RgbaArray, colours: Mapping[str, int], *, tolerance: int = 0, item: str
) -> npt.NDArray[Any]:
    """Labels of a picture's colours.

    Args:
        rgba: (y, x, 4), 8 bits a channel, alpha last.
        colours: Colour as `#rrggbb` to label id; 0 for background. Black is background where no
            label has it, and so is every pixel that is wholly transparent, whatever its colour.
        tolerance: Largest difference, in any channel, from the declared colour; 0 to 255.
        item: The file, for messages.

    Returns:
        (y, x) label ids: uint8, or int32 where an id is above 255.

    Raises:
        UsageError: A colour that is none, given twice, or two that a tolerance cannot tell apart.
        UnknownColourError: Other colours, or pixels that are half transparent.

    Example:
        >>> red, black = (255, 0, 0, 255), (0, 0, 0, 255)
        >>> colour_labels(np.uint8([[red, black]]), {"#ff0000": 3}, item="mask.png")
        array([[3, 0]], dtype=uint8)
    """
    label_of = _declared(colours, tolerance)
    partly = (rgba[..., 3] != 0) & (rgba[..., 3] != 255)
    if partly.any():
        msg = (
            f"{item}: expected pixels that are solid or wholly transparent, found {partly.sum()} "
            "half transparent ones; save the mask without smoothing, on a solid background"
        )
        raise UnknownColourError(msg)
    channels = rgba[..., :3].astype(np.uint32)
    codes = (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
    codes[rgba[..., 3] == 0] = _BLACK  # always declared; these pixels are set to 0 in the end
    found, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
    declared = np.array(list(label_of), dtype=np.uint32)
    distance = np.abs(_channels(found)[:, None] - _channels(declared)[None]).max(axis=2)
    unknown = distance.min(axis=1) > tolerance
    if unknown.any():
        raise UnknownColourError(_unknown(item, found[unknown], counts[unknown], declared))
    ids = np.array(list(label_of.values()))[distance.argmin(axis=1)]
    kind: type[Any] = np.uint8 if max(label_of.values()) < 256 else np.int32
    labels: npt.NDArray[Any] = ids.astype(kind)[where].reshape(codes.shape)
    labels[rgba[..., 3] == 0] = 0
    return labels


def grey_labels(rgba: RgbaArray, *, item: str) -> npt.NDArray[np.uint8]:
    """The one channel of a label map that was saved in colour although it is grey.

    Args:
        rgba: (y, x, 4), 8 bits a channel, alpha last.
        item: The file, for messages.

    Raises:
        UnsupportedPixelsError: Channels differ, or a pixel is not solid.

    Example:
        >>> grey_labels(np.uint8([[(2, 2, 2, 255), (0, 0, 0, 255)]]), item="mask.png")
        array([[2, 0]], dtype=uint8)
    """
    rgb = rgba[..., :3]
    is_grey = (rgb == rgb[..., :1]).all(axis=2) & (rgba[..., 3] == 255)
    if not is_grey.all():
        coloured = [f"{name} ({count} px)" for name, count in picture_colours(rgba).items()]
        msg = (
            f"{item}: expected one label number a pixel, found a colour picture with "
            f"{_listed(coloured)}; declare what each colour means (colours), or save the label map "
            "as a single-channel PNG"
        )
        raise UnsupportedPixelsError(msg)
    return np.ascontiguousarray(rgb[..., 0])


def picture_colours(rgba: RgbaArray) -> dict[str, int]:
    """Colours of a picture as `#rrggbb`, with their number of pixels, most frequent first.

    Wholly transparent pixels are left out.
    """
    solid = rgba[rgba[..., 3] != 0][:, :3].astype(np.uint32)
    codes = (solid[:, 0] << 16) | (solid[:, 1] << 8) | solid[:, 2]
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {f"#{found[n]:06x}": int(counts[n]) for n in order}


def _declared(colours: Mapping[str, int], tolerance: int) -> dict[int, int]:
    """Colour code to label id, black for background among them, or an error."""
    if not 0 <= tolerance <= 255:
        msg = f"expected a colour tolerance from 0 to 255, found {tolerance}"
        raise UsageError(msg)
    label_of: dict[int, int] = {}
    for text, label_id in colours.items():
        code = colour_code(text)
        if code in label_of:
            msg = f"colour {text} is given twice; keep one"
            raise UsageError(msg)
        label_of[code] = label_id
    label_of.setdefault(_BLACK, 0)
    for one, other in combinations(label_of, 2):
        apart = int(np.abs(_channels(np.array([one])) - _channels(np.array([other]))).max())
        if tolerance and apart <= 2 * tolerance and label_of[one] != label_of[other]:
            msg = (
                f"a colour tolerance of {tolerance} cannot tell #{one:06x} from #{other:06x}, "
                f"{apart} apart; take less than half of that"
            )
            raise UsageError(msg)
    return label_of


def _channels(codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """(n,) colour codes to (n, 3) red, green, blue."""
    return np.stack([codes >> 16 & 255, codes >> 8 & 255, codes & 255], axis=-1).astype(np.int64)


def _unknown(
    item: str, codes: npt.NDArray[Any], counts: npt.NDArray[Any], declared: npt.NDArray[Any]
) -> str:
    order = np.argsort(-counts, kind="stable")
    words = [f"#{codes[n]:06x} ({counts[n]} px)" for n in order]
    return (
        f"{item}: expected only the colours {', '.join(f'#{code:06x}' for code in declared)}, "
        f"found also {_listed(words)}, {counts.sum()} px in all; declare them, or, where the mask "
        "was smoothed or compressed, allow a colour tolerance"
    )


def _listed(words: list[str]) -> str:
    rest = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {rest} more colours" if rest > 0 else "")

"""The picture that is sent to a model, and positions between it and the slice.

What is sent is a fixed point: the model's own preprocessing neither shrinks nor pads it, so the
frame that the prompt states is the frame of the picture sent. Relative positions on the sent
picture equal those on the canvas, whatever stretch follows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.errors import ItemError
from medvision.frames import FloatArray, relative_from_box_px
from medvision.pictures.perceived.families import family_named, perceived_size
from medvision.pictures.perceived.family import Family, LimitsLike, Preparation
from medvision.pictures.perceived.sizes import PerceivedSize

Pixels = npt.NDArray[np.uint8]
"""(H, W) grey or (H, W, 3) RGB."""


class PictureFormatError(ItemError):
    """Pixels are not an 8-bit grey or RGB picture."""

    reason = "picture_format"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPicture:
    """A picture as it goes to the model.

    Attributes:
        pixels: (H, W) grey or (H, W, 3) RGB, 8-bit.
        perceived: Canvas that the model sees and the slice's place on it.
        content_box_px: x0, y0, x1, y1 of the slice in `pixels`: edges, top-left origin.
    """

    pixels: Pixels
    perceived: PerceivedSize
    content_box_px: tuple[float, float, float, float]


def picture_to_send(pixels: Pixels, family: str, limits: LimitsLike | None = None) -> SentPicture:
    """Prepare a slice's picture so that what is sent is what the model sees.

    API families: resized to the fixed point. Families that pad: resized and padded to exactly
    the canvas, with their own filter and padding colour, so the processor's output is the same
    as for the slice itself. All others: as it is.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, 8-bit.
        family: A name in `FAMILIES`, or "HxW".
        limits: Caps of this model, `Limits` or a mapping with its field names.

    Returns:
        Grey for grey, unless the padding colour is not grey: then RGB.

    Raises:
        PictureFormatError: `pixels` are neither 8-bit grey nor 8-bit RGB.
        UnknownFamilyError, LimitsError, EmptyPictureError, AspectRatioError: As
            `perceived_size` does.

    Example:
        >>> slice_pixels = np.full((160, 384), 90, dtype=np.uint8)
        >>> sent = picture_to_send(slice_pixels, "llava_onevision")
        >>> sent.pixels.shape, sent.content_box_px
        ((384, 384), (0.0, 112.0, 384.0, 272.0))
        >>> sent.pixels[[111, 112], 0].tolist()
        [0, 90]
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3} or pixels.shape[2:] not in {(), (3,)}:
        msg = (
            "a picture to send is uint8 of shape (H, W) or (H, W, 3), found "
            f"{pixels.dtype} of shape {pixels.shape}: render the slice first"
        )
        raise PictureFormatError(msg)
    height_px, width_px = pixels.shape[:2]
    rule = family_named(family)
    perceived = perceived_size(family, height_px, width_px, limits)
    is_sent_as_is = rule.preparation is Preparation.NONE
    whole = (0.0, 0.0, float(width_px), float(height_px))
    return SentPicture(
        pixels=prepared_picture(pixels, perceived, rule),
        perceived=perceived,
        content_box_px=whole if is_sent_as_is else perceived.content_box_px,
    )


def prepared_picture(pixels: Pixels, perceived: PerceivedSize, rule: Family) -> Pixels:
    """Pixels of `picture_to_send` for a picture whose perceived size is known already.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, 8-bit.
        perceived: What `perceived_size` says of a picture of H by W px.
        rule: Its family.
    """
    if rule.preparation is Preparation.NONE:
        return pixels
    if rule.preparation is Preparation.PAD_THEN_RESIZE:
        height_px, width_px = pixels.shape[:2]
        side_px = max(height_px, width_px)
        origin_yx = ((side_px - height_px) // 2, (side_px - width_px) // 2)
        square = _padded(pixels, (side_px, side_px), origin_yx, rule.pad_rgb)
        return _resized(square, perceived.canvas_hw, smooth=rule.smooth)
    content = _resized(pixels, perceived.content_hw, smooth=rule.smooth)
    return _padded(content, perceived.canvas_hw, perceived.content_origin_yx, rule.pad_rgb)


def _resized(pixels: Pixels, to_hw: tuple[int, int], *, smooth: bool) -> Pixels:
    """Pillow's resampling: antialiased, in integers, so the same on every machine."""
    if pixels.shape[:2] == to_hw:
        return pixels
    resample = Image.Resampling.BICUBIC if smooth else Image.Resampling.BILINEAR
    image = Image.fromarray(pixels).resize((to_hw[1], to_hw[0]), resample)
    return np.asarray(image, dtype=np.uint8)


def _padded(
    pixels: Pixels,
    canvas_hw: tuple[int, int],
    origin_yx: tuple[int, int],
    pad_rgb: tuple[int, int, int],
) -> Pixels:
    if pixels.shape[:2] == canvas_hw:
        return pixels
    # A grey slice stays grey, a third of the bytes, where the padding is grey too.
    if pixels.ndim == 2 and len(set(pad_rgb)) > 1:
        pixels = np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    canvas = np.empty((*canvas_hw, *pixels.shape[2:]), dtype=np.uint8)
    canvas[...] = pad_rgb if pixels.ndim == 3 else pad_rgb[0]
    (y0, x0), (height_px, width_px) = origin_yx, pixels.shape[:2]
    canvas[y0 : y0 + height_px, x0 : x0 + width_px] = pixels
    return canvas


def _content_relative(perceived: PerceivedSize) -> tuple[FloatArray, FloatArray]:
    """Lower-left corner and size of the slice on the sent picture, relative, each as x, y."""
    box = relative_from_box_px(perceived.content_box_px, *perceived.canvas_hw)
    return box[:2], box[2:] - box[:2]


def box_on_slice_from_sent(box_relative: npt.ArrayLike, perceived: PerceivedSize) -> FloatArray:
    """Relative box on the slice of one read on the sent picture: (..., 4) to (..., 4).

    Both with a lower-left origin, as x0, y0, x1, y1. A box that reaches into the padding comes
    out beyond [0, 1]: it is not clipped.

    Example:
        160 rows in the middle of 384: a box of all the slice, and one of all that was sent.

        >>> padded = PerceivedSize((384, 384), (160, 384), (112, 0))
        >>> whole, sent = [0, 112 / 384, 1, 272 / 384], [0, 0, 1, 1]
        >>> box_on_slice_from_sent([whole, sent], padded).round(6).tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.0, -0.7, 1.0, 1.7]]
    """
    corner, size = _content_relative(perceived)
    box = np.asarray(box_relative, dtype=np.float64)
    return (box - np.tile(corner, 2)) / np.tile(size, 2)


def box_on_sent_from_slice(box_relative: npt.ArrayLike, perceived: PerceivedSize) -> FloatArray:
    """Relative box on the sent picture of one on the slice: (..., 4) to (..., 4).

    The inverse of `box_on_slice_from_sent`.

    Example:
        >>> padded = PerceivedSize((400, 400), (200, 400), (100, 0))
        >>> box_on_sent_from_slice([0, 0, 0.5, 1], padded).tolist()
        [0.0, 0.25, 0.5, 0.75]
    """
    corner, size = _content_relative(perceived)
    box = np.asarray(box_relative, dtype=np.float64)
    return box * np.tile(size, 2) + np.tile(corner, 2)


def point_on_slice_from_sent(point_relative: npt.ArrayLike, perceived: PerceivedSize) -> FloatArray:
    """Relative point on the slice of one read on the sent picture: (..., 2) to (..., 2).

    Example:
        >>> padded = PerceivedSize((400, 400), (200, 400), (100, 0))
        >>> point_on_slice_from_sent([0.5, 0.25], padded).tolist()
        [0.5, 0.0]
    """
    corner, size = _content_relative(perceived)
    return (np.asarray(point_relative, dtype=np.float64) - corner) / size


def point_on_sent_from_slice(point_relative: npt.ArrayLike, perceived: PerceivedSize) -> FloatArray:
    """Relative point on the sent picture of one on the slice: (..., 2) to (..., 2).

    Example:
        >>> padded = PerceivedSize((400, 400), (200, 400), (100, 0))
        >>> point_on_sent_from_slice([0.5, 0.0], padded).tolist()
        [0.5, 0.25]
    """
    corner, size = _content_relative(perceived)
    return np.asarray(point_relative, dtype=np.float64) * size + corner

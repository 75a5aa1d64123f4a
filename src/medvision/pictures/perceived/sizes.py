"""The two shapes of a perceived picture, and the facts that a prompt states from them.

*Canvas*: the pixel grid that the vision encoder sees, after the model's own resize and padding.
*Content*: the part of the canvas that holds the slice. The image size stated is the canvas; the
pixel size stated comes from the content. They differ wherever a model pads.
"""

from dataclasses import dataclass

from medvision.errors import ItemError


class EmptyPictureError(ItemError):
    """A picture has a side of no pixels."""

    reason = "empty_picture"


class AspectRatioError(ItemError):
    """A picture is too slender for the model family's own rule, which rejects it."""

    reason = "aspect_ratio"


@dataclass(frozen=True, slots=True)
class PerceivedSize:
    """Where a slice lies on the canvas that a model family perceives.

    Attributes:
        canvas_hw: Height and width of the canvas, px.
        content_hw: Height and width of the slice on it, whole px.
        content_origin_yx: Top-left pixel of the slice on it.
        exact_box_px: x0, y0, x1, y1 of the slice on the canvas where its edges fall between
            pixels (the family pads first and resizes then); None where `content_hw` and
            `content_origin_yx` are exact.
    """

    canvas_hw: tuple[int, int]
    content_hw: tuple[int, int]
    content_origin_yx: tuple[int, int]
    exact_box_px: tuple[float, float, float, float] | None = None

    @property
    def content_box_px(self) -> tuple[float, float, float, float]:
        """Exact x0, y0, x1, y1 of the slice on the canvas: edges, top-left origin, px.

        Example:
            >>> PerceivedSize((384, 384), (160, 384), (112, 0)).content_box_px
            (0.0, 112.0, 384.0, 272.0)
        """
        if self.exact_box_px is not None:
            return self.exact_box_px
        (height, width), (y0, x0) = self.content_hw, self.content_origin_yx
        return float(x0), float(y0), float(x0 + width), float(y0 + height)


def unpadded(height_px: int, width_px: int) -> PerceivedSize:
    """A canvas that the slice fills.

    Example:
        >>> unpadded(160, 384).content_box_px
        (0.0, 0.0, 384.0, 160.0)
    """
    return PerceivedSize((height_px, width_px), (height_px, width_px), (0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFrame:
    """Image size and pixel size as a prompt states them for a measurement in mm."""

    height_px: int
    width_px: int
    pixel_y_mm: float
    pixel_x_mm: float


def stated_frame(
    perceived: PerceivedSize,
    height_px: int,
    width_px: int,
    spacing_y_mm: float,
    spacing_x_mm: float,
) -> StatedFrame:
    """What the prompt states of a slice that the model perceives as `perceived`.

    Args:
        perceived: Canvas and content of this slice.
        height_px: Rows of the slice before any resize.
        width_px: Columns of the slice before any resize.
        spacing_y_mm: Distance between rows of the slice.
        spacing_x_mm: Distance between columns of the slice.

    Returns:
        Size of the canvas; pixel size = spacing × original side / content side, per axis.

    Example:
        A slice of 160×384 px at 1 mm, padded to 384×384 with the slice unscaled: 384×384 px of
        1 mm each, not of 160/384 mm.

        >>> padded = PerceivedSize((384, 384), (160, 384), (112, 0))
        >>> frame = stated_frame(padded, 160, 384, 1.0, 1.0)
        >>> frame.height_px, frame.width_px, frame.pixel_y_mm, frame.pixel_x_mm
        (384, 384, 1.0, 1.0)
    """
    # The whole canvas × pixel size is the padded extent; content × pixel size is the slice's.
    x0, y0, x1, y1 = perceived.content_box_px
    canvas_height_px, canvas_width_px = perceived.canvas_hw
    return StatedFrame(
        height_px=canvas_height_px,
        width_px=canvas_width_px,
        pixel_y_mm=spacing_y_mm * height_px / (y1 - y0),
        pixel_x_mm=spacing_x_mm * width_px / (x1 - x0),
    )

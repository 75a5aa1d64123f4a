"""A slice's grey picture in a drawing, and the resolution that shows each of its pixels."""

import base64
import io
import math

from PIL import Image

from medvision.analysis.drawing.shapes import Canvas

LONGEST_SIDE_PX = 2048
"""A raster keeps the resolution of its picture up to this side."""

EVEN_ENOUGH_PX = 4.0
"""From so many raster pixels for a picture's pixel on, one more or less is not seen."""


def svg_picture(canvas: Canvas, picture_png: bytes) -> str:
    """The slice's picture, stretched to its physical shape."""
    data = base64.b64encode(picture_png).decode("ascii")
    return (
        f'<image x="0" y="0" width="{canvas.width:.2f}" height="{canvas.height:.2f}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    )


def for_raster(picture_png: bytes, canvas: Canvas) -> tuple[bytes, float]:
    """A picture as a raster shows it best, and that raster's pixels for a drawing unit.

    The raster shows each pixel of the picture, unless it has more than `LONGEST_SIDE_PX`. Then it
    is shrunk: enlarging is left to the raster, but where it shrinks it would leave out pixels.

    Args:
        picture_png: The slice as PNG of any size.
        canvas: Of the slice.
    """
    picture = Image.open(io.BytesIO(picture_png))
    zoom = raster_zoom(canvas, picture.size)
    width, height = raster_size(canvas, zoom)
    if picture.width <= width and picture.height <= height:
        return picture_png, zoom
    size = min(picture.width, width), min(picture.height, height)
    # Each pixel the mean of those it stands for.
    return _png(picture.resize(size, Image.Resampling.BOX)), zoom


def resampled_png(picture_png: bytes, canvas: Canvas, zoom: float) -> bytes:
    """A picture blended to just the pixels that a raster of a given zoom has for it.

    Args:
        picture_png: The slice as PNG of any size.
        canvas: Of the slice.
        zoom: Raster pixels for a drawing unit.
    """
    picture = Image.open(io.BytesIO(picture_png))
    return _png(picture.resize(raster_size(canvas, zoom), Image.Resampling.BILINEAR))


def raster_size(canvas: Canvas, zoom: float) -> tuple[int, int]:
    """Width and height in pixels, at least one each."""
    return max(1, round(canvas.width * zoom)), max(1, round(canvas.height * zoom))


def raster_zoom(canvas: Canvas, size_wh_px: tuple[int, int]) -> float:
    """Raster pixels for a drawing unit, at least 1, so that a picture keeps its resolution.

    Along the axis where the picture's pixels are finer, a small pixel gets a whole number of
    raster pixels: with 1 and 2 in turn a picture looks combed.

    Args:
        canvas: Of the slice.
        size_wh_px: Width and height of the picture.

    Example:
        512 × 512 px on 640 × 640 units get 2 × 2 raster pixels each:

        >>> from medvision.analysis.drawing.shapes import canvas_of
        >>> from medvision.frames import SliceGeometry
        >>> square = canvas_of(
        ...     SliceGeometry(height_px=512, width_px=512, spacing_y_mm=1, spacing_x_mm=1)
        ... )
        >>> raster_zoom(square, (512, 512)) * square.width
        1024.0
        >>> raster_zoom(square, (64, 64)), raster_zoom(square, (5000, 5000)) * square.width
        (1.0, 2048.0)
    """
    units_per_px = min(canvas.width / size_wh_px[0], canvas.height / size_wh_px[1])
    zoom = 1.0 if units_per_px >= EVEN_ENOUGH_PX else math.ceil(units_per_px) / units_per_px
    return min(zoom, LONGEST_SIDE_PX / max(canvas.width, canvas.height))


def _png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    # Level 1: it is read once, by the rasteriser.
    picture.save(written, format="PNG", compress_level=1)
    return written.getvalue()

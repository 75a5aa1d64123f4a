"""One drawing on the page with its captions."""

from dataclasses import dataclass
from typing import Any

from medvision.analysis.drawing.picture import svg_picture
from medvision.analysis.drawing.shapes import Canvas, Role, Shape
from medvision.analysis.drawing.svg import svg_document, svg_group
from medvision.analysis.pictures import PictureArray, png_bytes

Row = dict[str, Any]

SIDE_PX = 224
"""Longer side of a picture around one structure, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One drawing with its captions."""

    label: str
    plane: str
    caption: str
    words: str
    svg: str


def case_name(row: Row) -> str:
    """A case as captions name it: its cohort, if it has one, and its id."""
    return "/".join(filter(None, (row["cohort"], row["case_id"])))


def tile_svg(
    canvas: Canvas, picture: PictureArray, shapes: list[Shape], *, side_px: int, title: str
) -> str:
    """Shapes over a picture of at most `side_px` pixels on its longer side."""
    parts = [
        svg_picture(canvas, png_bytes(picture, side_px=side_px)),
        svg_group(shapes, Role.TRUTH),
    ]
    return svg_document(parts, width=canvas.width, height=canvas.height, title=title)

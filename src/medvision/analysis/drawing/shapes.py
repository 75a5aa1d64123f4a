"""What is drawn over a slice: truth, answer and furniture, as shapes on a canvas of square mm.

The canvas is measured in drawing units from the slice's top-left edge, x right, y down. Both axes
have the same number of units for a millimetre, so a slice with unequal spacing is stretched to its
physical shape. Boxes lie on pixel edges; points are pixel centres, half a pixel further in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from medvision.frames import SliceGeometry, drawn_from_point_px
from medvision.samples import Point

CANVAS_SIDE = 640.0
"""Length of the canvas's longer side in drawing units."""

XY = tuple[float, float]
"""A place on the canvas, drawing units."""

Ends = tuple[XY, XY]
"""Of a straight line."""

Anchor = Literal["start", "middle", "end"]


class Role(StrEnum):
    """What a shape stands for; its colour and dashes follow from it (`drawing.svg`)."""

    TRUTH = "truth"
    ANSWER = "answer"
    RECOVERED = "recovered"
    FURNITURE = "furniture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line in drawing units."""

    x0: float
    y0: float
    x1: float
    y1: float
    role: Role
    colour: str = ""

    @classmethod
    def between(cls, start: XY, end: XY, *, role: Role, colour: str = "") -> Self:
        """The line from one place to another."""
        return cls(x0=start[0], y0=start[1], x1=end[0], y1=end[1], role=role, colour=colour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright rectangle in drawing units; a thin one stands back behind what is in it."""

    x0: float
    y0: float
    x1: float
    y1: float
    role: Role
    colour: str = ""
    thin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point in drawing units."""

    x: float
    y: float
    role: Role
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An ellipse in drawing units; `turn_deg` turns its first axis from x towards y (clockwise)."""

    x: float
    y: float
    radius_0: float
    radius_1: float
    turn_deg: float
    role: Role
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A label in drawing units; `y` is its baseline."""

    x: float
    y: float
    text: str
    role: Role
    anchor: Anchor = "start"
    size: float = 13.0
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The border of a mask in drawing units: upright and level stretches x0, y0, x1, y1."""

    stretches: tuple[tuple[float, float, float, float], ...]
    role: Role
    colour: str = ""


Shape = Line | Box | Dot | Ellipse | Text | Outline
"""Anything drawn. `colour` is a shape's own, "#rrggbb"; else its role's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Size of the drawing and its scale: one millimetre is equally long on both axes.

    Attributes:
        width: Drawing units from the slice's left edge to its right edge.
        height: Drawing units from the upper edge to the lower edge.
        units_per_px_x: Drawing units for one pixel along x.
        units_per_px_y: Drawing units for one pixel along y.
        units_per_mm: Drawing units for one millimetre along either axis.
    """

    width: float
    height: float
    units_per_px_x: float
    units_per_px_y: float
    units_per_mm: float

    def point(self, x_px: float, y_px: float) -> XY:
        """Where a pixel-centre point is drawn."""
        x, y = drawn_from_point_px((x_px, y_px)).tolist()
        return x * self.units_per_px_x, y * self.units_per_px_y

    def edges(self, box_px: Sequence[float]) -> tuple[float, float, float, float]:
        """Where a pixel-edge box x0, y0, x1, y1 is drawn: the same order."""
        x0, y0, x1, y1 = box_px
        across, down = self.units_per_px_x, self.units_per_px_y
        return x0 * across, y0 * down, x1 * across, y1 * down

    def lines(self, points: Sequence[Point]) -> list[Ends]:
        """Where lines are drawn whose ends follow each other; a point left over ends none."""
        ends = [self.point(point.x_px, point.y_px) for point in points]
        return list(zip(ends[0::2], ends[1::2], strict=False))


def canvas_of(geometry: SliceGeometry) -> Canvas:
    """The canvas for a slice: its longer physical side is `CANVAS_SIDE` units.

    Example:
        A slice of 100 × 50 px with spacing y 2 mm, x 1 mm covers 100 × 100 mm:

        >>> canvas = canvas_of(
        ...     SliceGeometry(height_px=50, width_px=100, spacing_y_mm=2.0, spacing_x_mm=1.0)
        ... )
        >>> canvas.width, canvas.height
        (640.0, 640.0)
        >>> canvas.edges((0, 0, 100, 25))
        (0.0, 0.0, 640.0, 320.0)
        >>> canvas.point(0, 0)
        (3.2, 6.4)
    """
    is_known = math.isfinite(geometry.spacing_x_mm + geometry.spacing_y_mm)
    # Of an imported result's slice the spacing may not be known: its pixels are drawn square.
    spacing_x, spacing_y = (geometry.spacing_x_mm, geometry.spacing_y_mm) if is_known else (1, 1)
    width, height = geometry.width_px * spacing_x, geometry.height_px * spacing_y
    scale = CANVAS_SIDE / max(width, height)
    return Canvas(
        width=width * scale,
        height=height * scale,
        units_per_px_x=spacing_x * scale,
        units_per_px_y=spacing_y * scale,
        units_per_mm=scale if is_known else math.nan,
    )

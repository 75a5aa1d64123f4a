"""Shapes as short JSON lists, for a page that draws many answers on one picture itself."""

from typing import Any, assert_never

from medvision.analysis.drawing.shapes import Box, Dot, Ellipse, Line, Outline, Shape, Text
from medvision.analysis.drawing.svg import outline_path


def shape_json(shape: Shape) -> list[Any]:
    """A shape's letter, then its numbers in drawing units to the hundredth; its role is not told.

    Example:
        >>> from medvision.analysis.drawing.shapes import Role
        >>> shape_json(Line(x0=0, y0=1, x1=2.004, y1=3, role=Role.TRUTH))
        ['l', 0, 1, 2.0, 3]
        >>> shape_json(Box(x0=0, y0=1, x1=2, y1=3, role=Role.TRUTH, thin=True))
        ['b', 0, 1, 2, 3, 1]
    """
    match shape:
        case Line():
            return ["l", *_hundredths(shape.x0, shape.y0, shape.x1, shape.y1)]
        case Box():
            return ["b", *_hundredths(shape.x0, shape.y0, shape.x1, shape.y1), int(shape.thin)]
        case Dot():
            return ["d", *_hundredths(shape.x, shape.y)]
        case Ellipse():
            numbers = (shape.x, shape.y, shape.radius_0, shape.radius_1, shape.turn_deg)
            return ["e", *_hundredths(*numbers)]
        case Text():
            return ["t", *_hundredths(shape.x, shape.y), shape.anchor, shape.size, shape.text]
        case Outline():
            return ["o", outline_path(shape)]
        case _:
            assert_never(shape)


def _hundredths(*values: float) -> list[float]:
    return [round(value, 2) for value in values]

"""Truth as shapes: boxes, axes with their ellipse, landmarks, lines."""

import math
from collections.abc import Sequence

from medvision.analysis.drawing.labels import beyond_line, named_places
from medvision.analysis.drawing.shapes import (
    Anchor,
    Box,
    Canvas,
    Dot,
    Ellipse,
    Line,
    Role,
    Shape,
    Text,
)
from medvision.samples import Point


def captioned_box(
    canvas: Canvas, box_px: Sequence[float], *, role: Role, caption: str
) -> list[Shape]:
    """A box with its caption: above it for the truth, below it for an answer, inside if cut."""
    x0, y0, x1, y1 = canvas.edges(box_px)
    y = y0 - 5 if role is Role.TRUTH else y1 + 14
    y = min(max(y, 14.0), canvas.height - 6)
    at_right = x0 > 0.75 * canvas.width
    x = min(max(x1 if at_right else x0, 4.0), canvas.width - 4)
    anchor: Anchor = "end" if at_right else "start"
    return [
        Box(x0=x0, y0=y0, x1=x1, y1=y1, role=role),
        Text(x=x, y=y, text=caption, role=role, anchor=anchor),
    ]


def axis_shapes(
    canvas: Canvas, points: Sequence[Point], lengths_mm: Sequence[float], *, colour: str = ""
) -> list[Shape]:
    """Both axes of a tumour or lesion and, where both are known, the ellipse they span.

    Args:
        canvas: Of the slice.
        points: Ends of the major, then of the minor axis.
        lengths_mm: Of the two, to be written beside them; () writes nothing.
        colour: Of all of it, else the truth's.
    """
    lines = canvas.lines(points)
    shapes: list[Shape] = []
    if len(lines) == 2:
        # On square mm the axes are at right angles, so the major one alone gives the turn.
        major, minor = lines
        (x0, y0), (x1, y1) = major
        shapes.append(
            Ellipse(
                x=(x0 + x1) / 2,
                y=(y0 + y1) / 2,
                radius_0=math.dist(*major) / 2,
                radius_1=math.dist(*minor) / 2,
                turn_deg=math.degrees(math.atan2(y1 - y0, x1 - x0)),
                role=Role.TRUTH,
                colour=colour,
            )
        )
    shapes += [Line.between(*ends, role=Role.TRUTH, colour=colour) for ends in lines]
    for name, length_mm, (start, end) in zip(("major", "minor"), lengths_mm, lines, strict=False):
        outer = end if end[0] >= start[0] else start
        inner = start if outer is end else end
        shapes.append(beyond_line(canvas, inner, outer, f"{name} {length_mm:.1f} mm"))
    return shapes


def landmark_shapes(
    canvas: Canvas, points: Sequence[Point], *, colour: str = "", named: bool = True
) -> list[Shape]:
    """The lines of a measurement, then its landmarks; a landmark of two lines is drawn once.

    Args:
        canvas: Of the slice.
        points: Two for each line.
        colour: Of all of it, else the truth's.
        named: Write the landmarks' names beside them.
    """
    lines = canvas.lines(points)
    shapes: list[Shape] = [Line.between(*ends, role=Role.TRUTH, colour=colour) for ends in lines]
    once = {(point.key, canvas.point(point.x_px, point.y_px)): point for point in points}
    shapes += [Dot(x=at[0], y=at[1], role=Role.TRUTH, colour=colour) for _, at in once]
    if named:
        names = [(at, point.name or point.key) for (_, at), point in once.items()]
        shapes += named_places(canvas, names)
    return shapes

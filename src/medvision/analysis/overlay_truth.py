"""Truth of a sample as shapes: boxes, axes with their ellipse, landmarks, lines."""

import math
from collections.abc import Sequence

from medvision.analysis.overlay_labels import beyond_line, named_places
from medvision.analysis.overlay_shapes import (
    XY,
    Anchor,
    Box,
    Canvas,
    Dot,
    Ellipse,
    Line,
    Role,
    Shape,
    Text,
    canvas_of,
)
from medvision.samples import Point, Sample
from medvision.tasks import Task


def truth_shapes(sample: Sample) -> list[Shape]:
    """The truth of a sample: its box, its ellipse with both axes, or its landmarks and lines."""
    canvas = canvas_of(sample)
    if sample.task is Task.TUMOR_LESION:
        return axis_shapes(canvas, sample.points, sample.truth)
    if sample.task is Task.ANGLE_DISTANCE:
        return landmark_shapes(canvas, sample.points)
    if len(sample.box_px) != 4:
        return []
    caption = "truth" if sample.task is Task.DETECTION else "extent of the structure"
    return captioned_box(canvas, sample.box_px, role=Role.TRUTH, caption=caption)


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
    ends = [canvas.point(point.x_px, point.y_px) for point in points]
    pairs = list(zip(ends[0::2], ends[1::2], strict=False))
    shapes: list[Shape] = []
    if len(pairs) == 2:
        shapes.append(_ellipse(pairs[0], pairs[1], colour))
    shapes += [_line(pair, colour) for pair in pairs]
    for name, length_mm, (start, end) in zip(("major", "minor"), lengths_mm, pairs, strict=False):
        outer = end if end[0] >= start[0] else start
        inner = start if outer is end else end
        shapes.append(beyond_line(canvas, inner, outer, f"{name} {length_mm:.1f} mm"))
    return shapes


def _line(ends: tuple[XY, XY], colour: str) -> Line:
    (x0, y0), (x1, y1) = ends
    return Line(x0=x0, y0=y0, x1=x1, y1=y1, role=Role.TRUTH, colour=colour)


def _ellipse(major: tuple[XY, XY], minor: tuple[XY, XY], colour: str) -> Ellipse:
    """The ellipse of two axes given by their ends; on square mm the axes are at right angles."""
    (x0, y0), (x1, y1) = major
    return Ellipse(
        x=(x0 + x1) / 2,
        y=(y0 + y1) / 2,
        radius_0=math.dist(*major) / 2,
        radius_1=math.dist(*minor) / 2,
        turn_deg=math.degrees(math.atan2(y1 - y0, x1 - x0)),
        role=Role.TRUTH,
        colour=colour,
    )


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
    ends = [canvas.point(point.x_px, point.y_px) for point in points]
    shapes: list[Shape] = [
        _line((start, end), colour) for start, end in zip(ends[0::2], ends[1::2], strict=False)
    ]
    once = {(point.key, at): point for point, at in zip(points, ends, strict=True)}
    shapes += [Dot(x=at[0], y=at[1], role=Role.TRUTH, colour=colour) for _, at in once]
    if named:
        names = [(at, point.name or point.key) for (_, at), point in once.items()]
        shapes += named_places(canvas, names)
    return shapes

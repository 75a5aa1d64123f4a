"""What is drawn over a slice: truth, answer and furniture, as shapes on a canvas of square mm.

The canvas is measured in drawing units from the slice's top-left edge, x right, y down. Both axes
have the same number of units for a millimetre, so a slice with unequal spacing is stretched to its
physical shape. Boxes lie on pixel edges; points are pixel centres, half a pixel further in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from medvision.frames import SliceGeometry, box_px_from_relative, drawn_from_point_px
from medvision.samples import Point, Sample, Task

CANVAS_SIDE = 640.0
"""Length of the canvas's longer side in drawing units."""

XY = tuple[float, float]
"""A place on the canvas, drawing units."""

Anchor = Literal["start", "middle", "end"]


class Role(StrEnum):
    """What a shape stands for; the drawing's colour follows from it."""

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

    def point(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel-centre point is drawn."""
        x, y = drawn_from_point_px((x_px, y_px)).tolist()
        return x * self.units_per_px_x, y * self.units_per_px_y

    def edges(self, box_px: Sequence[float]) -> tuple[float, float, float, float]:
        """Where a pixel-edge box x0, y0, x1, y1 is drawn: the same order."""
        x0, y0, x1, y1 = box_px
        across, down = self.units_per_px_x, self.units_per_px_y
        return x0 * across, y0 * down, x1 * across, y1 * down


def canvas_of(slice_: SliceGeometry | Sample) -> Canvas:
    """The canvas for a slice: its longer physical side is `CANVAS_SIDE` units.

    A slice of 100 × 50 px with spacing y 2 mm, x 1 mm covers 100 × 100 mm: 640 × 640 units.
    """
    width_mm = slice_.width_px * slice_.spacing_x_mm
    height_mm = slice_.height_px * slice_.spacing_y_mm
    scale = CANVAS_SIDE / max(width_mm, height_mm)
    return Canvas(
        width=width_mm * scale,
        height=height_mm * scale,
        units_per_px_x=slice_.spacing_x_mm * scale,
        units_per_px_y=slice_.spacing_y_mm * scale,
        units_per_mm=scale,
    )


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
    return _captioned_box(canvas, sample.box_px, role=Role.TRUTH, caption=caption)


def answer_shapes(sample: Sample, values: Sequence[float], *, role: Role) -> list[Shape]:
    """The stated box of a detection answer; other tasks state numbers, which have no place.

    Args:
        sample: The question.
        values: Detection: relative lower-left x0, y0, x1, y1; empty where nothing was read.
        role: `ANSWER`, or `RECOVERED` for the lenient reading that is not scored.
    """
    if sample.task is not Task.DETECTION or len(values) != 4:
        return []
    box_px = box_px_from_relative(values, sample.height_px, sample.width_px).tolist()
    caption = "answer" if role is Role.ANSWER else "recovered, not scored"
    return _captioned_box(canvas_of(sample), box_px, role=role, caption=caption)


def _captioned_box(
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
        shapes.append(_beyond(canvas, inner, outer, f"{name} {length_mm:.1f} mm"))
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
    for (_, at), point in once.items():
        shapes.append(Dot(x=at[0], y=at[1], role=Role.TRUTH, colour=colour))
        if named:
            shapes.append(beside(canvas, at, point.name or point.key))
    return shapes


def beside(canvas: Canvas, at: XY, text: str) -> Text:
    """A label beside a point, on the side that has more room."""
    x, y = at
    at_right = x > 0.6 * canvas.width
    return Text(
        x=x - 8 if at_right else x + 8,
        y=min(max(y - 6, 14.0), canvas.height - 6),
        text=text,
        role=Role.TRUTH,
        anchor="end" if at_right else "start",
    )


def _beyond(canvas: Canvas, inner: XY, outer: XY, text: str) -> Text:
    """A label beyond the end of a line, out of the way of what the line crosses."""
    length = math.dist(inner, outer) or 1.0
    x = outer[0] + (outer[0] - inner[0]) / length * 12
    y = outer[1] + (outer[1] - inner[1]) / length * 12 + 4
    at_right = x > 0.8 * canvas.width
    return Text(
        x=min(x, canvas.width - 6),
        y=min(max(y, 14.0), canvas.height - 6),
        text=text,
        role=Role.TRUTH,
        anchor="end" if at_right else "start",
    )

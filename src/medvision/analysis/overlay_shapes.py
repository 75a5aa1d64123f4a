"""What is drawn over a slice: truth, answer and furniture, as shapes on a canvas of square mm.

The canvas is measured in drawing units from the slice's top-left edge, x right, y down. Both axes
have the same number of units for a millimetre, so a slice with unequal spacing is stretched to its
physical shape. Boxes lie on pixel edges; points are pixel centres, half a pixel further in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Literal

from medvision.frames import VOLUME_PLANES, Plane, box_px_from_relative, drawn_from_point_px
from medvision.samples import Sample, Task

CANVAS_SIDE = 640.0
"""Length of the canvas's longer side in drawing units."""

EDGE_LETTERS: dict[Plane, tuple[str, str, str, str]] = {
    Plane.AXIAL: ("R", "L", "A", "P"),
    Plane.CORONAL: ("R", "L", "S", "I"),
    Plane.SAGITTAL: ("A", "P", "S", "I"),
}
"""Patient direction at the left, right, upper and lower edge of a displayed slice of a volume."""

PROJECTED_MODALITIES = frozenset({"XR", "US"})
"""Pictures with a named plane but no known direction of their columns: they get no letters."""

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright rectangle in drawing units."""

    x0: float
    y0: float
    x1: float
    y1: float
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point in drawing units."""

    x: float
    y: float
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An ellipse in drawing units; `turn_deg` turns its first axis from x towards y (clockwise)."""

    x: float
    y: float
    radius_0: float
    radius_1: float
    turn_deg: float
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A label in drawing units; `y` is its baseline."""

    x: float
    y: float
    text: str
    role: Role
    anchor: Anchor = "start"
    size: float = 13.0


Shape = Line | Box | Dot | Ellipse | Text


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


def canvas_of(sample: Sample) -> Canvas:
    """The canvas for a sample's slice: its longer physical side is `CANVAS_SIDE` units.

    A slice of 100 × 50 px with spacing y 2 mm, x 1 mm covers 100 × 100 mm: 640 × 640 units.
    """
    width_mm = sample.width_px * sample.spacing_x_mm
    height_mm = sample.height_px * sample.spacing_y_mm
    scale = CANVAS_SIDE / max(width_mm, height_mm)
    return Canvas(
        width=width_mm * scale,
        height=height_mm * scale,
        units_per_px_x=sample.spacing_x_mm * scale,
        units_per_px_y=sample.spacing_y_mm * scale,
        units_per_mm=scale,
    )


def truth_shapes(sample: Sample) -> list[Shape]:
    """The truth of a sample: its box, its ellipse with both axes, or its landmarks and lines."""
    canvas = canvas_of(sample)
    if sample.task is Task.TUMOR_LESION:
        return _axes(sample, canvas)
    if sample.task is Task.ANGLE_DISTANCE:
        return _landmarks(sample, canvas)
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


def furniture_shapes(sample: Sample) -> list[Shape]:
    """The scale bar, and for slices of a volume the patient's directions at the edges."""
    canvas = canvas_of(sample)
    return [*_direction_letters(sample, canvas), *_scale_bar(canvas)]


def scale_bar_mm(width_mm: float) -> float:
    """Length of the scale bar: the largest 1, 2 or 5 × 10ⁿ mm within a quarter of the width."""
    limit_mm = width_mm / 4
    decade = 10.0 ** math.floor(math.log10(limit_mm))
    return max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= limit_mm)


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


def _axes(sample: Sample, canvas: Canvas) -> list[Shape]:
    """Both axes of a tumour or lesion and, where both are known, the ellipse they span."""
    ends = [canvas.point(point.x_px, point.y_px) for point in sample.points]
    pairs = list(zip(ends[0::2], ends[1::2], strict=False))
    shapes: list[Shape] = []
    if len(pairs) == 2:
        shapes.append(_ellipse(pairs[0], pairs[1]))
    for name, length_mm, (start, end) in zip(("major", "minor"), sample.truth, pairs, strict=False):
        shapes.append(Line(x0=start[0], y0=start[1], x1=end[0], y1=end[1], role=Role.TRUTH))
        outer = end if end[0] >= start[0] else start
        inner = start if outer is end else end
        shapes.append(_beyond(canvas, inner, outer, f"{name} {length_mm:.1f} mm"))
    return shapes


def _ellipse(
    major: tuple[tuple[float, float], tuple[float, float]],
    minor: tuple[tuple[float, float], tuple[float, float]],
) -> Ellipse:
    """The ellipse of two axes given by their ends; on square mm the axes are at right angles."""
    (x0, y0), (x1, y1) = major
    return Ellipse(
        x=(x0 + x1) / 2,
        y=(y0 + y1) / 2,
        radius_0=math.dist(*major) / 2,
        radius_1=math.dist(*minor) / 2,
        turn_deg=math.degrees(math.atan2(y1 - y0, x1 - x0)),
        role=Role.TRUTH,
    )


def _landmarks(sample: Sample, canvas: Canvas) -> list[Shape]:
    """The lines of a measurement, then its landmarks; a landmark of two lines is drawn once."""
    ends = [canvas.point(point.x_px, point.y_px) for point in sample.points]
    shapes: list[Shape] = [
        Line(x0=start[0], y0=start[1], x1=end[0], y1=end[1], role=Role.TRUTH)
        for start, end in zip(ends[0::2], ends[1::2], strict=False)
    ]
    named = {(point.key, at): point for point, at in zip(sample.points, ends, strict=True)}
    for (_, at), point in named.items():
        shapes.append(Dot(x=at[0], y=at[1], role=Role.TRUTH))
        shapes.append(_beside(canvas, at, point.name or point.key))
    return shapes


def _beside(canvas: Canvas, at: tuple[float, float], text: str) -> Text:
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


def _beyond(
    canvas: Canvas, inner: tuple[float, float], outer: tuple[float, float], text: str
) -> Text:
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


def _direction_letters(sample: Sample, canvas: Canvas) -> list[Shape]:
    """Patient directions at the four edges; none where the picture's direction is not known."""
    plane = Plane(sample.plane)
    is_picture = PurePath(sample.image_uri).suffix.lower() in PICTURE_SUFFIXES
    if plane not in VOLUME_PLANES or sample.modality in PROJECTED_MODALITIES or is_picture:
        return []
    left, right, upper, lower = EDGE_LETTERS[plane]
    across, down = canvas.width / 2, canvas.height / 2
    places: list[tuple[float, float, str, Anchor]] = [
        (8, down + 6, left, "start"),
        (canvas.width - 8, down + 6, right, "end"),
        (across, 20, upper, "middle"),
        (across, canvas.height - 8, lower, "middle"),
    ]
    return [
        Text(x=x, y=y, text=letter, role=Role.FURNITURE, anchor=anchor, size=17)
        for x, y, letter, anchor in places
    ]


def _scale_bar(canvas: Canvas) -> list[Shape]:
    """A bar of a round number of mm at the lower left, with a tick at each end."""
    length_mm = scale_bar_mm(canvas.width / canvas.units_per_mm)
    x0, y = 12.0, canvas.height - 12
    x1 = x0 + length_mm * canvas.units_per_mm
    return [
        Line(x0=x0, y0=y, x1=x1, y1=y, role=Role.FURNITURE),
        Line(x0=x0, y0=y - 4, x1=x0, y1=y + 4, role=Role.FURNITURE),
        Line(x0=x1, y0=y - 4, x1=x1, y1=y + 4, role=Role.FURNITURE),
        Text(x=x0, y=y - 8, text=f"{length_mm:g} mm", role=Role.FURNITURE, size=12),
    ]

"""A model's answer as shapes: its box where it is stated, its numbers along the true lines.

Sizes, distances and angles are stated without a place. They are drawn on the truth: an axis of the
stated length about the true centre, a distance from the first landmark towards the second, an
angle from the first line. What would leave the picture by far is written, not drawn.
"""

import math
from collections.abc import Sequence

from medvision.analysis.overlay_shapes import (
    XY,
    Canvas,
    Ellipse,
    Line,
    Role,
    Shape,
    Text,
    canvas_of,
)
from medvision.analysis.overlay_truth import captioned_box
from medvision.frames import box_px_from_relative
from medvision.samples import Point, Sample
from medvision.tasks import Task

CAPTIONS = {Role.ANSWER: "answer", Role.RECOVERED: "recovered, not scored"}

BESIDE = 6.0
"""Drawing units between a true distance and the stated one beside it."""


def answer_shapes(sample: Sample, values: Sequence[float], *, role: Role) -> list[Shape]:
    """The answer to a sample.

    Args:
        sample: The question.
        values: The answer as read, in the order and frame of `sample.truth`; empty if none.
        role: `ANSWER`, or `RECOVERED` for the lenient reading that is not scored.
    """
    if not values:
        return []
    canvas = canvas_of(sample)
    if sample.task is Task.DETECTION:
        box_px = box_px_from_relative(
            values, sample.geometry.height_px, sample.geometry.width_px
        ).tolist()
        return captioned_box(canvas, box_px, role=role, caption=CAPTIONS[role])
    lines = _lines(canvas, sample.points)
    if sample.task is Task.TUMOR_LESION and len(lines) == 2:
        drawn = _axes(lines, [value * canvas.units_per_mm for value in values], role)
        stated = " × ".join(f"{value:.4g}" for value in values) + " mm"
    elif sample.task is Task.ANGLE_DISTANCE and len(lines) == 1:
        drawn = [_distance(lines[0], values[0] * canvas.units_per_mm, role)]
        stated = f"{values[0]:.4g} mm"
    elif sample.task is Task.ANGLE_DISTANCE and len(lines) == 2:
        drawn = [_angle(lines, math.radians(values[0]), role)]
        stated = f"{values[0]:.4g}°"
    else:
        return []
    caption = f"{CAPTIONS[role]}: {stated}, drawn on the truth"
    if not all(_fits(canvas, shape) for shape in drawn):
        drawn, caption = [], f"{CAPTIONS[role]}: {stated}, too large to draw"
    return [*drawn, _note(canvas, caption, role)]


def _lines(canvas: Canvas, points: Sequence[Point]) -> list[tuple[XY, XY]]:
    ends = [canvas.point(point.x_px, point.y_px) for point in points]
    return list(zip(ends[0::2], ends[1::2], strict=False))


def _direction(line: tuple[XY, XY]) -> XY:
    (x0, y0), (x1, y1) = line
    length = math.dist(*line) or 1.0
    return (x1 - x0) / length, (y1 - y0) / length


def _middle(line: tuple[XY, XY]) -> XY:
    (x0, y0), (x1, y1) = line
    return (x0 + x1) / 2, (y0 + y1) / 2


def _from(start: XY, direction: XY, length: float, role: Role) -> Line:
    (x, y), (dx, dy) = start, direction
    return Line(x0=x, y0=y, x1=x + dx * length, y1=y + dy * length, role=role)


def _about(middle: XY, direction: XY, length: float, role: Role) -> Line:
    (x, y), (dx, dy) = middle, direction
    start = (x - dx * length / 2, y - dy * length / 2)
    return _from(start, direction, length, role)


def _axes(
    lines: Sequence[tuple[XY, XY]], lengths: Sequence[float], role: Role
) -> list[Line | Ellipse]:
    """Both axes about the true centre, and the ellipse they span."""
    x, y = _middle(lines[0])
    dx, dy = _direction(lines[0])
    ellipse = Ellipse(
        x=x,
        y=y,
        radius_0=lengths[0] / 2,
        radius_1=lengths[1] / 2,
        turn_deg=math.degrees(math.atan2(dy, dx)),
        role=role,
    )
    axes = [
        _about((x, y), _direction(line), length, role)
        for line, length in zip(lines, lengths, strict=True)
    ]
    return [ellipse, *axes]


def _distance(line: tuple[XY, XY], length: float, role: Role) -> Line:
    """The stated distance, beside the true one."""
    dx, dy = _direction(line)
    x, y = line[0]
    return _from((x - dy * BESIDE, y + dx * BESIDE), (dx, dy), length, role)


def _angle(lines: Sequence[tuple[XY, XY]], angle_rad: float, role: Role) -> Line:
    """The second line turned so that it makes the stated angle with the first.

    Of the ways to turn it, the one nearest to the true line; about the point both lines share, or
    else about its middle.
    """
    first, second = lines
    shared = next((end for end in second if end in first), None)
    if shared is not None:
        other = second[1] if second[0] == shared else second[0]
        second = (shared, other)
    true = _direction(second)
    candidates = [
        _turned(_direction(first), sign * angle_rad + flip)
        for sign in (1, -1)
        for flip in (0.0, math.pi)
    ]
    nearest = max(candidates, key=lambda d: d[0] * true[0] + d[1] * true[1])
    length = math.dist(*second)
    if shared is not None:
        return _from(shared, nearest, length, role)
    return _about(_middle(second), nearest, length, role)


def _turned(direction: XY, angle_rad: float) -> XY:
    (dx, dy), cos, sin = direction, math.cos(angle_rad), math.sin(angle_rad)
    return dx * cos - dy * sin, dx * sin + dy * cos


def _fits(canvas: Canvas, shape: Line | Ellipse) -> bool:
    """Whether a shape is of a length that the picture can show."""
    most = 2 * math.hypot(canvas.width, canvas.height)
    if isinstance(shape, Ellipse):
        return 2 * max(shape.radius_0, shape.radius_1) <= most
    return math.hypot(shape.x1 - shape.x0, shape.y1 - shape.y0) <= most


def _note(canvas: Canvas, words: str, role: Role) -> Text:
    """A line at the picture's top right: the recovered reading below the answer."""
    y = 32.0 if role is Role.ANSWER else 48.0
    return Text(x=canvas.width - 6, y=y, text=words, role=role, anchor="end")

"""A model's answer as shapes: its box where it is stated, its numbers along the true lines.

Sizes, distances and angles are stated without a place. They are drawn on the truth: an axis of the
stated length about the true centre, a distance from the first landmark towards the second, an
angle from the first line. What would leave the picture by far is written, not drawn.
"""

import math
from collections.abc import Sequence

from medvision.analysis.drawing.shapes import (
    XY,
    Canvas,
    Ellipse,
    Ends,
    Line,
    Role,
    Shape,
    Text,
)
from medvision.analysis.drawing.truth import captioned_box
from medvision.analysis.units import with_unit
from medvision.frames import box_px_from_relative
from medvision.samples import Sample

CAPTIONS = {Role.TRUTH: "truth", Role.ANSWER: "answer", Role.RECOVERED: "recovered, not scored"}

BESIDE = 6.0
"""Drawing units between a true distance and the stated one beside it."""


def stated_box(canvas: Canvas, sample: Sample, values: Sequence[float], role: Role) -> list[Shape]:
    """A box where relative coordinates say it is."""
    shown = sample.geometry
    box_px = box_px_from_relative(values, shown.height_px, shown.width_px).tolist()
    return captioned_box(canvas, box_px, role=role, caption=CAPTIONS[role])


def stated_boxes(
    canvas: Canvas, sample: Sample, values: Sequence[float], role: Role
) -> list[Shape]:
    """Each box of a list; captions would hide their neighbours, so the first alone has one."""
    boxes = [
        stated_box(canvas, sample, values[at : at + 4], role) for at in range(0, len(values), 4)
    ]
    return [*boxes[0], *(box[0] for box in boxes[1:])] if boxes else []


def stated_axes(canvas: Canvas, sample: Sample, values: Sequence[float], role: Role) -> list[Shape]:
    """Axes of stated lengths about the true centre, and the ellipse they span."""
    lines = canvas.lines(sample.points)
    if len(lines) != 2:
        return []
    lengths = [value * canvas.units_per_mm for value in values]
    x, y = middle = _middle(lines[0])
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
        _about(middle, _direction(line), length, role)
        for line, length in zip(lines, lengths, strict=True)
    ]
    stated = " × ".join(f"{value:.4g}" for value in values) + " mm"
    return _with_note(canvas, [ellipse, *axes], max(lengths), stated, role)


def stated_line(canvas: Canvas, sample: Sample, values: Sequence[float], role: Role) -> list[Shape]:
    """A distance, beside the true one, or the second line of an angle."""
    lines = canvas.lines(sample.points)
    if len(lines) == 1:
        dx, dy = _direction(lines[0])
        x, y = lines[0][0]
        length = values[0] * canvas.units_per_mm
        drawn = _from((x - dy * BESIDE, y + dx * BESIDE), (dx, dy), length, role)
        return _with_note(canvas, [drawn], length, f"{values[0]:.4g} mm", role)
    if len(lines) == 2:
        drawn = _turned_line(lines[0], lines[1], math.radians(values[0]), role)
        return _with_note(canvas, [drawn], 0.0, f"{values[0]:.4g}°", role)
    return []


def stated_number(
    canvas: Canvas, sample: Sample, values: Sequence[float], role: Role
) -> list[Shape]:
    """A number that has no place on the slice, in words."""
    return [_note(canvas, f"{CAPTIONS[role]}: {with_unit(f'{values[0]:.4g}', sample.unit)}", role)]


def _turned_line(first: Ends, second: Ends, angle_rad: float, role: Role) -> Line:
    """The second line turned so that it makes an angle with the first.

    Of the ways to turn it, the one nearest to the true line; about the point both lines share, or
    else about its middle.
    """
    shared = next((end for end in second if end in first), None)
    if shared is not None:
        second = (shared, second[1] if second[0] == shared else second[0])
    dx, dy = _direction(first)
    true_x, true_y = _direction(second)
    # To either side of the first line, and along it either way: a line has no direction.
    turns = [sign * angle_rad + flip for sign in (1, -1) for flip in (0.0, math.pi)]
    turned = [
        (dx * math.cos(turn) - dy * math.sin(turn), dx * math.sin(turn) + dy * math.cos(turn))
        for turn in turns
    ]
    nearest = max(turned, key=lambda d: d[0] * true_x + d[1] * true_y)
    length = math.dist(*second)
    if shared is not None:
        return _from(shared, nearest, length, role)
    return _about(_middle(second), nearest, length, role)


def _with_note(
    canvas: Canvas, drawn: Sequence[Shape], length: float, stated: str, role: Role
) -> list[Shape]:
    """Shapes with what was stated; without them where a length is more than the picture shows."""
    fits = length <= 2 * math.hypot(canvas.width, canvas.height)
    how = "drawn on the truth" if fits else "too large to draw"
    words = f"{CAPTIONS[role]}: {stated}, {how}"
    return [*(drawn if fits else ()), _note(canvas, words, role)]


def _note(canvas: Canvas, words: str, role: Role) -> Text:
    """A line at the picture's top right: the recovered reading below the answer."""
    y = 32.0 if role is Role.ANSWER else 48.0
    return Text(x=canvas.width - 6, y=y, text=words, role=role, anchor="end")


def _direction(line: Ends) -> XY:
    (x0, y0), (x1, y1) = line
    length = math.dist(*line) or 1.0
    return (x1 - x0) / length, (y1 - y0) / length


def _middle(line: Ends) -> XY:
    (x0, y0), (x1, y1) = line
    return (x0 + x1) / 2, (y0 + y1) / 2


def _from(start: XY, direction: XY, length: float, role: Role) -> Line:
    (x, y), (dx, dy) = start, direction
    return Line.between(start, (x + dx * length, y + dy * length), role=role)


def _about(middle: XY, direction: XY, length: float, role: Role) -> Line:
    (x, y), (dx, dy) = middle, direction
    return _from((x - dx * length / 2, y - dy * length / 2), direction, length, role)

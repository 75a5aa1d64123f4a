"""What a model is trained to reply: the bare answer, or steps that compute it.

The steps follow the order that the prompt asks for. Coordinates are relative with a lower-left
origin, in the frame of the picture sent, with four decimals; every later number is computed in
decimal arithmetic from numbers already written in the prompt or above it, so whoever recomputes
the steps gets the written answer. The answer therefore differs from the table's truth by what the
rounding of the coordinates makes, and by no more.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from medvision.errors import ItemError
from medvision.frames import relative_from_box_px, relative_from_point_px
from medvision.pictures.perceived import (
    PerceivedSize,
    StatedFrame,
    box_on_sent_from_slice,
    point_on_sent_from_slice,
)
from medvision.pictures.view import SliceView
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.prompts.messages import pixel_mm_text
from medvision.replies import Style
from medvision.samples import Point, Sample
from medvision.tasks import MetricKind, Task

_COORDINATE = Decimal("0.0001")
_LENGTH = Decimal("0.001")
_SHARE = Decimal("0.0001")
_ANSWER = Decimal("0.01")


class UnwritableTargetError(ItemError):
    """No exact steps lead to the answer at the decimals of the coordinates."""

    reason = "unwritable_target"


def target_text(sample: Sample, style: Style, view: SliceView) -> str:
    """The reply to train on, which reads back as a valid answer.

    Args:
        sample: What is asked.
        style: Direct: the answer alone. Chain of thought: the steps, then the answer in tags.
        view: What the model sees of the sample's slice and is told of it.

    Returns:
        Text in the frame of the picture sent: boxes and points include its padding.

    Raises:
        UnwritableAnswerError: The truth is no valid answer (a box without area).
        UnwritableTargetError: A line of an angle vanishes at four decimals.
    """
    if style is Style.DIRECT:
        return ANSWER_FORMATS[sample.task].write(_truth_on_sent(sample, view.perceived))
    steps = _STEPS[sample.task](_Asked(sample=sample, perceived=view.perceived, frame=view.stated))
    answer = ANSWER_FORMATS[sample.task].write([float(value) for value in steps.values], style)
    return "\n".join([*steps.lines, answer])


def _truth_on_sent(sample: Sample, perceived: PerceivedSize) -> Sequence[float]:
    if sample.task is not Task.DETECTION:
        return sample.truth
    box: list[float] = box_on_sent_from_slice(sample.truth, perceived).tolist()
    return box


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """Reasoning, line by line, and the values it arrives at, in the answer's order."""

    lines: list[str]
    values: list[Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    """A named point as written: relative, lower-left origin, four decimals."""

    name: str
    x: Decimal
    y: Decimal

    def __str__(self) -> str:
        return f"({self.x}, {self.y})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A displacement in mm as written, three decimals, and the line that computes it."""

    line: str
    dx_mm: Decimal
    dy_mm: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A sample with the frame in which its prompt states sizes."""

    sample: Sample
    perceived: PerceivedSize
    frame: StatedFrame

    def spot(self, point: Point) -> _Spot:
        on_slice = relative_from_point_px(
            (point.x_px, point.y_px), self.sample.geometry.height_px, self.sample.geometry.width_px
        )
        x, y = point_on_sent_from_slice(on_slice, self.perceived).tolist()
        return _Spot(name=point.name, x=_rounded(x, _COORDINATE), y=_rounded(y, _COORDINATE))

    def spots(self) -> list[_Spot]:
        return [self.spot(point) for point in self.sample.points]

    def way(self, name: str, start: _Spot, end: _Spot) -> _Way:
        """Differences of written coordinates × stated size in px × stated pixel in mm."""
        frame = self.frame
        dx_words, dx_mm = _side_mm(end.x, start.x, frame.width_px, frame.pixel_x_mm)
        dy_words, dy_mm = _side_mm(end.y, start.y, frame.height_px, frame.pixel_y_mm)
        return _Way(line=f"{name}: dx = {dx_words}, dy = {dy_words}.", dx_mm=dx_mm, dy_mm=dy_mm)


def _side_mm(to: Decimal, start: Decimal, side_px: int, pixel_mm: float) -> tuple[str, Decimal]:
    pixel = pixel_mm_text(pixel_mm)
    length = _rounded((to - start) * side_px * Decimal(pixel), _LENGTH)
    return f"({to} - {start}) * {side_px} * {pixel} = {length} mm", length


def _rounded(value: Decimal | float, step: Decimal) -> Decimal:
    """Rounded to a step, half away from zero as in schoolbooks; zero without a sign."""
    result = Decimal(value).quantize(step, ROUND_HALF_UP)
    return result if result else abs(result)


def _detection_steps(asked: _Asked) -> _Steps:
    box = _truth_on_sent(asked.sample, asked.perceived)
    x0, y0, x1, y1 = ANSWER_FORMATS[Task.DETECTION].write(box).split(", ")
    written = [Decimal(text) for text in (x0, y0, x1, y1)]
    column = _third(written[0] + written[2], ("left", "middle", "right"))
    row = _third(written[1] + written[3], ("lower", "middle", "upper"))
    name = asked.sample.name
    lines = [
        f"The middle of the {name} lies in the {column} third of the image's width and in the "
        f"{row} third of its height.",
        f"Its leftmost point is at x = {x0} and its rightmost point at x = {x1}.",
        f"Its lowest point is at y = {y0} and its highest point at y = {y1}.",
    ]
    return _Steps(lines=lines, values=written)


def _third(twice_middle: Decimal, words: tuple[str, str, str]) -> str:
    return words[min(2, int(twice_middle * 3 / 2))]


def _tumor_lesion_steps(asked: _Asked) -> _Steps:
    spots = asked.spots()
    axes = [_length(asked, *ends) for ends in (spots[:2], spots[2:])]
    # rounding may turn the order of two nearly equal axes: the major one is the longer as written
    axes.sort(key=lambda axis: axis.length_mm, reverse=True)
    lines = []
    for name, axis in zip(("major axis", "minor axis"), axes, strict=True):
        lines.append(f"End points of the {name}: {axis.start} and {axis.end}.")
    for name, axis in zip(("Major axis", "Minor axis"), axes, strict=True):
        lines += axis.lines(name)
    return _Steps(lines=lines, values=[axis.length_mm for axis in axes])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Length:
    """The length of a written line, two decimals."""

    asked: _Asked
    start: _Spot
    end: _Spot
    length_mm: Decimal

    def lines(self, name: str) -> list[str]:
        way = self.asked.way(name, self.start, self.end)
        length = f"{name}: sqrt({way.dx_mm}^2 + {way.dy_mm}^2) = {self.length_mm} mm."
        return [way.line, length]


def _length(asked: _Asked, start: _Spot, end: _Spot) -> _Length:
    way = asked.way("", start, end)
    length = (way.dx_mm**2 + way.dy_mm**2).sqrt()
    return _Length(asked=asked, start=start, end=end, length_mm=_rounded(length, _ANSWER))


def _angle_distance_steps(asked: _Asked) -> _Steps:
    spots = asked.spots()
    named = list(dict.fromkeys(f"{spot.name}: {spot}." for spot in spots))
    if asked.sample.metric_kind == MetricKind.DISTANCE:
        found = _length(asked, spots[0], spots[1])
        return _Steps(lines=[*named, *found.lines("Distance")], values=[found.length_mm])
    angle = _angle_steps(asked, _directed(asked.sample, spots))
    return _Steps(lines=[*named, *angle.lines], values=angle.values)


def _directed(sample: Sample, spots: list[_Spot]) -> list[_Spot]:
    """Start and end of both lines; an angle at a shared landmark has both start there."""
    if sample.metric_kind != MetricKind.VERTEX_ANGLE:
        return spots
    keys = [point.key for point in sample.points]
    for first, second in ((0, 2), (0, 3), (1, 2), (1, 3)):
        if keys[first] == keys[second]:
            return [spots[first], spots[1 - first], spots[second], spots[5 - second]]
    msg = f"{sample.sample_id}: expected two lines with a shared landmark, found points {keys}"
    raise UnwritableTargetError(msg)


def _angle_steps(asked: _Asked, spots: list[_Spot]) -> _Steps:
    a = asked.way(f"Line A, {spots[0].name} to {spots[1].name}", spots[0], spots[1])
    b = asked.way(f"Line B, {spots[2].name} to {spots[3].name}", spots[2], spots[3])
    dot = _rounded(a.dx_mm * b.dx_mm + a.dy_mm * b.dy_mm, _LENGTH)
    cross = _rounded(a.dx_mm * b.dy_mm - a.dy_mm * b.dx_mm, _LENGTH)
    if dot == 0 and cross == 0:
        msg = (
            f"{asked.sample.sample_id}: expected lines of a length that four decimals show, found "
            f"A ({a.dx_mm}, {a.dy_mm}) mm and B ({b.dx_mm}, {b.dy_mm}) mm; leave this sample out"
        )
        raise UnwritableTargetError(msg)
    is_acute = asked.sample.metric_kind != MetricKind.VERTEX_ANGLE
    along = abs(dot) if is_acute else dot
    value = _rounded(math.degrees(math.atan2(abs(cross), along)), _ANSWER)
    lines = [
        a.line,
        b.line,
        f"dot = {a.dx_mm} * {b.dx_mm} + {a.dy_mm} * {b.dy_mm} = {dot}.",
        f"cross = {a.dx_mm} * {b.dy_mm} - {a.dy_mm} * {b.dx_mm} = {cross}.",
        f"Angle: atan2({abs(cross)}, {along}) = {value} degrees.",
    ]
    return _Steps(lines=lines, values=[value])


def _area_steps(asked: _Asked) -> _Steps:
    """Box, its sides in mm, and the share of it that makes the truth, at most 1."""
    sample = asked.sample
    on_slice = relative_from_box_px(
        sample.box_px, sample.geometry.height_px, sample.geometry.width_px
    )
    box = box_on_sent_from_slice(on_slice, asked.perceived)
    x0, y0, x1, y1 = map(Decimal, ANSWER_FORMATS[Task.DETECTION].write(box.tolist()).split(", "))
    corners = [_Spot(name="", x=x0, y=y0), _Spot(name="", x=x1, y=y1)]
    sides = asked.way("Sides of the box", *corners)
    box_mm2 = sides.dx_mm * sides.dy_mm
    if not box_mm2:
        msg = f"{sample.sample_id}: expected a box with an area, found sides of 0 mm; leave it out"
        raise UnwritableTargetError(msg)
    share = min(_rounded(Decimal(sample.truth[0]) / box_mm2, _SHARE), Decimal("1.0000"))
    value = _rounded(box_mm2 * share, _ANSWER)
    lines = [
        f"The box around the {sample.name} goes from {corners[0]} to {corners[1]}.",
        sides.line,
        f"The {sample.name} fills a share of {share} of the box.",
        f"Area: {sides.dx_mm} * {sides.dy_mm} * {share} = {value} mm^2.",
    ]
    return _Steps(lines=lines, values=[value])


_STEPS: dict[Task, Callable[[_Asked], _Steps]] = {
    Task.DETECTION: _detection_steps,
    Task.TUMOR_LESION: _tumor_lesion_steps,
    Task.ANGLE_DISTANCE: _angle_distance_steps,
    Task.AREA: _area_steps,
}

"""Reasoning as a model is trained to write it: points, displacements and lengths, as written.

Coordinates are relative with a lower-left origin, in the frame of the picture sent, with four
decimals; every later number is computed in decimal arithmetic from numbers already written in the
prompt or above it, so whoever recomputes the steps gets the written answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from medvision.errors import ItemError
from medvision.frames import relative_from_box_px, relative_from_point_px
from medvision.pictures.perceived import box_on_sent_from_slice, point_on_sent_from_slice
from medvision.pictures.view import SliceView
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.samples import Sample
from medvision.tasks import Task

COORDINATE = Decimal("0.0001")
LENGTH = Decimal("0.001")
SHARE = Decimal("0.0001")
ANSWER = Decimal("0.01")


class UnwritableTargetError(ItemError):
    """No exact steps lead to the answer at the decimals of the coordinates."""

    reason = "unwritable_target"


def pixel_mm_text(size_mm: float) -> str:
    """A pixel's width or height as prompts, and targets that compute with it, state it.

    Example:
        >>> pixel_mm_text(0.703125)
        '0.703125'
    """
    return f"{size_mm:.6g}"


def rounded(value: Decimal | float, step: Decimal) -> Decimal:
    """Rounded to a step, half away from zero as in schoolbooks; zero without a sign.

    Example:
        >>> rounded(0.00005, COORDINATE), rounded(-0.00001, COORDINATE)
        (Decimal('0.0001'), Decimal('0.0000'))
    """
    result = Decimal(value).quantize(step, ROUND_HALF_UP)
    return result if result else abs(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One step of a reasoning: its lines, and the numbers it arrives at."""

    lines: list[str]
    numbers: list[Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Reasoning and the values it arrives at, in the answer's order.

    Attributes:
        lines: Line by line.
        values: The answer.
        parts: The same lines, in the order of the steps whose numbers have tags of their own; ()
            where a task has none.
    """

    lines: list[str]
    values: list[Decimal]
    parts: tuple[Part, ...] = ()

    def tagged_lines(self) -> list[str]:
        """Line by line, with the numbers of each step in its tags after it."""
        lines: list[str] = []
        for number, part in enumerate(self.parts, start=1):
            numbers = ", ".join(map(str, part.numbers))
            lines += [*part.lines, f"<step-{number}-answer>{numbers}</step-{number}-answer>"]
        return lines or self.lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A named point as written: relative, lower-left origin, four decimals."""

    name: str
    x: Decimal
    y: Decimal

    def __str__(self) -> str:
        return f"({self.x}, {self.y})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A displacement in mm as written, three decimals, and the line that computes it."""

    line: str
    dx_mm: Decimal
    dy_mm: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLength:
    """The length of a written line, two decimals."""

    way: Way
    start: Spot
    end: Spot
    length_mm: Decimal

    def lines(self, name: str) -> list[str]:
        """Its displacement and its length, one line each."""
        dx_mm, dy_mm = self.way.dx_mm, self.way.dy_mm
        return [
            f"{name}: {self.way.line}",
            f"{name}: sqrt({dx_mm}^2 + {dy_mm}^2) = {self.length_mm} mm.",
        ]


def length_parts(located: Part, lengths: Mapping[str, WrittenLength]) -> tuple[Part, ...]:
    """The three steps of named lengths: end points, differences in mm, lengths."""
    written = [length.lines(name) for name, length in lengths.items()]
    ways = [length.way for length in lengths.values()]
    return (
        located,
        Part(
            lines=[line for line, _ in written],
            numbers=[side for way in ways for side in (way.dx_mm, way.dy_mm)],
        ),
        Part(
            lines=[line for _, line in written],
            numbers=[length.length_mm for length in lengths.values()],
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A sample with the view in which its prompt states sizes."""

    sample: Sample
    view: SliceView

    def spots(self) -> list[Spot]:
        """The sample's points as written."""
        on, found = self.sample.geometry, []
        for point in self.sample.points:
            on_slice = relative_from_point_px((point.x_px, point.y_px), on.height_px, on.width_px)
            x, y = point_on_sent_from_slice(on_slice, self.view.perceived).tolist()
            found.append(Spot(name=point.name, x=rounded(x, COORDINATE), y=rounded(y, COORDINATE)))
        return found

    def box_corners(self) -> list[Spot]:
        """Lower left and upper right corner of the sample's box, as written."""
        on = self.sample.geometry
        on_slice = relative_from_box_px(self.sample.box_px, on.height_px, on.width_px)
        box = box_on_sent_from_slice(on_slice, self.view.perceived).tolist()
        x0, y0, x1, y1 = map(Decimal, ANSWER_FORMATS[Task.DETECTION].write(box).split(", "))
        return [Spot(name="", x=x0, y=y0), Spot(name="", x=x1, y=y1)]

    def way(self, start: Spot, end: Spot) -> Way:
        """Differences of written coordinates × stated size in px × stated pixel in mm."""
        stated = self.view.stated
        words: list[str] = []
        lengths: list[Decimal] = []
        for to, since, side_px, pixel_mm in (
            (end.x, start.x, stated.width_px, stated.pixel_x_mm),
            (end.y, start.y, stated.height_px, stated.pixel_y_mm),
        ):
            pixel = pixel_mm_text(pixel_mm)
            lengths.append(rounded((to - since) * side_px * Decimal(pixel), LENGTH))
            words.append(f"({to} - {since}) * {side_px} * {pixel} = {lengths[-1]} mm")
        dx_mm, dy_mm = lengths
        return Way(line=f"dx = {words[0]}, dy = {words[1]}.", dx_mm=dx_mm, dy_mm=dy_mm)

    def length(self, start: Spot, end: Spot) -> WrittenLength:
        """The length of the line between two written points."""
        way = self.way(start, end)
        length_mm = rounded((way.dx_mm**2 + way.dy_mm**2).sqrt(), ANSWER)
        return WrittenLength(way=way, start=start, end=end, length_mm=length_mm)

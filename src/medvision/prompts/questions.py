"""How each task is put into words: the question, the steps asked for, the steps of a perfect reply.

One `Wording` a task; `WORDINGS` is the table. The wording is part of every key: change
`PROMPT_VERSION` in `medvision.prompts.messages` with it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from medvision.pictures.perceived import box_on_sent_from_slice
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.prompts.steps import (
    ANSWER,
    LENGTH,
    SHARE,
    Asked,
    Part,
    Spot,
    Steps,
    UnwritableTargetError,
    length_parts,
    rounded,
)
from medvision.samples import Point, Sample
from medvision.tasks import MetricKind, Task


class Wording(ABC):
    """One task in words."""

    steps: ClassVar[str]
    """How to reason, for the chain of thought."""

    tagged: ClassVar[tuple[str, ...]] = ()
    """What the numbers of each step are, where steps have tags of their own."""

    @abstractmethod
    def question(self, sample: Sample) -> str:
        """What is asked of a sample."""

    @abstractmethod
    def written(self, asked: Asked) -> Steps:
        """The reasoning that `steps` asks for, done perfectly."""


class DetectionWording(Wording):
    """One box."""

    steps = (
        "First describe where the structure lies. Then give the relative x of its leftmost "
        "and rightmost points and the relative y of its lowest and highest points."
    )

    def question(self, sample: Sample) -> str:
        """The box, by two corners."""
        return (
            f"Find the {sample.name} and give the smallest axis-aligned bounding box around it, by "
            "its lower left corner (x0, y0) and its upper right corner (x1, y1), in relative "
            "coordinates."
        )

    def written(self, asked: Asked) -> Steps:
        """The thirds in which the box lies, then its four edges."""
        written = x0, y0, x1, y1 = _edges(asked.sample.truth, asked)
        column = _third(written[0] + written[2], ("left", "middle", "right"))
        row = _third(written[1] + written[3], ("lower", "middle", "upper"))
        name = asked.sample.name
        lines = [
            f"The middle of the {name} lies in the {column} third of the image's width and in the "
            f"{row} third of its height.",
            f"Its leftmost point is at x = {x0} and its rightmost point at x = {x1}.",
            f"Its lowest point is at y = {y0} and its highest point at y = {y1}.",
        ]
        return Steps(lines=lines, values=list(written))


class InstancesWording(Wording):
    """A box for each region."""

    steps = (
        "First say how many regions there are. Then describe where each lies and give the relative "
        "x of its leftmost and rightmost points and the relative y of its lowest and highest "
        "points."
    )

    def question(self, sample: Sample) -> str:
        """The boxes of all regions that are large enough, by two corners each."""
        least_px, on = sample.min_px or 0, sample.geometry
        return (
            f"Find every separate region of the {sample.name} in the image and give for each the "
            "smallest axis-aligned bounding box around it, by its lower left corner (x0, y0) and "
            "its upper right corner (x1, y1), in relative coordinates: regions that touch are one, "
            f"and a region does not count whose box is narrower than {least_px / on.width_px:.3g} "
            f"of the image's width or lower than {least_px / on.height_px:.3g} of its height."
        )

    def written(self, asked: Asked) -> Steps:
        """How many regions, then the edges of each, the largest first."""
        boxes = np.reshape(asked.sample.truth, (-1, 4))
        found = [_edges(box, asked) for box in boxes]
        lines = [f"Separate regions of the {asked.sample.name}: {len(found)}."]
        for number, (x0, y0, x1, y1) in enumerate(found, start=1):
            lines.append(f"Region {number}: x from {x0} to {x1}, y from {y0} to {y1}.")
        return Steps(lines=lines, values=[edge for box in found for edge in box])


class TumorLesionWording(Wording):
    """Two axis lengths."""

    steps = (
        "First give the relative coordinates of the two end points of the major axis and "
        "of the two end points of the minor axis. Then multiply each difference in x by "
        "the image's width in pixels and the pixel width in mm, and each difference in y "
        "by the image's height in pixels and the pixel height in mm. Then each length is "
        "the square root of the sum of the two squares."
    )
    tagged = (
        "x and y of the four end points, those of the major axis first",
        "the differences in x and in y in mm, of the major and of the minor axis",
        "the lengths of the major and of the minor axis in mm",
    )

    def question(self, sample: Sample) -> str:
        """Both axes of the fitted ellipse."""
        return (
            f"Fit an ellipse to the outline of the {sample.name} and measure the full lengths of "
            "its major (longest) axis and its minor axis in millimetres."
        )

    def written(self, asked: Asked) -> Steps:
        """End points of both axes, then their lengths."""
        spots = asked.spots()
        axes = [asked.length(*ends) for ends in (spots[:2], spots[2:])]
        # Rounding may turn the order of two nearly equal axes: the longer as written is the major.
        axes.sort(key=lambda axis: axis.length_mm, reverse=True)
        located = Part(
            lines=[
                f"End points of the {name}: {axis.start} and {axis.end}."
                for name, axis in zip(("major axis", "minor axis"), axes, strict=True)
            ],
            numbers=_coordinates(end for axis in axes for end in (axis.start, axis.end)),
        )
        named = dict(zip(("Major axis", "Minor axis"), axes, strict=True))
        return Steps(
            lines=[
                *located.lines,
                *(line for name, axis in named.items() for line in axis.lines(name)),
            ],
            values=[axis.length_mm for axis in axes],
            parts=length_parts(located, named),
        )


class AngleDistanceWording(Wording):
    """One angle or one distance between landmarks."""

    steps = (
        "First give the relative coordinates of each landmark. Then turn the differences "
        "between them into millimetres with the image size and the pixel size. Then "
        "compute the distance, or the angle between the two directions."
    )
    tagged = (
        "x and y of each landmark, in the order in which they are named",
        "the differences in x and in y in mm, of each line",
        "the distance in mm or the angle in degrees",
    )

    def question(self, sample: Sample) -> str:
        """What is measured, between landmarks named one by one."""
        lines = list(zip(sample.points[::2], sample.points[1::2], strict=True))
        if sample.metric_kind == MetricKind.DISTANCE:
            return f"Measure the distance between {_ends(lines[0])} in millimetres ({sample.name})."
        first, second = (f"the line through {_ends(line)}" for line in lines)
        if sample.metric_kind == MetricKind.VERTEX_ANGLE:
            return (
                f"Measure the angle between {first} and {second}, at the landmark that they share, "
                f"in degrees from 0 to 180 ({sample.name})."
            )
        return (
            f"Measure the acute angle between {first} and {second}, in degrees from 0 to 90 "
            f"({sample.name})."
        )

    def written(self, asked: Asked) -> Steps:
        """The landmarks, then the distance or the angle between lines."""
        spots = asked.spots()
        named = dict.fromkeys((spot.name, spot) for spot in spots)
        located = Part(
            lines=[f"{name}: {spot}." for name, spot in named],
            numbers=_coordinates(spot for _, spot in named),
        )
        if asked.sample.metric_kind == MetricKind.DISTANCE:
            found = asked.length(spots[0], spots[1])
            return Steps(
                lines=[*located.lines, *found.lines("Distance")],
                values=[found.length_mm],
                parts=length_parts(located, {"Distance": found}),
            )
        angle = _angle_steps(asked, _directed(asked.sample, spots))
        return Steps(
            lines=[*located.lines, *angle.lines],
            values=angle.values,
            parts=(located, *angle.parts),
        )


class AreaWording(Wording):
    """One area."""

    steps = (
        "First give the smallest axis-aligned bounding box around all parts of the "
        "structure, in relative coordinates. Then turn its sides into millimetres with the "
        "image size and the pixel size. Then estimate the share of the box that the "
        "structure fills, from 0 to 1. The area is the product of the two sides and that "
        "share."
    )

    def question(self, sample: Sample) -> str:
        """All parts of the structure together."""
        return (
            f"Measure the area that the {sample.name} covers in the image, all its parts together, "
            "in square millimetres."
        )

    def written(self, asked: Asked) -> Steps:
        """Box, its sides in mm, and the share of it that makes the truth, at most 1."""
        sample = asked.sample
        corners = asked.box_corners()
        sides = asked.way(*corners)
        box_mm2 = sides.dx_mm * sides.dy_mm
        if not box_mm2:
            msg = f"{sample.sample_id}: expected a box with an area, found sides of 0 mm; drop it"
            raise UnwritableTargetError(msg)
        share = min(rounded(Decimal(sample.truth[0]) / box_mm2, SHARE), Decimal("1.0000"))
        value = rounded(box_mm2 * share, ANSWER)
        lines = [
            f"The box around the {sample.name} goes from {corners[0]} to {corners[1]}.",
            f"Sides of the box: {sides.line}",
            f"The {sample.name} fills a share of {share} of the box.",
            f"Area: {sides.dx_mm} * {sides.dy_mm} * {share} = {value} mm^2.",
        ]
        return Steps(lines=lines, values=[value])


class CountWording(Wording):
    """One whole number."""

    steps = (
        "First give the smallest axis-aligned bounding box around all regions, in relative "
        "coordinates. Then count the separate regions in it."
    )

    def question(self, sample: Sample) -> str:
        """Regions of at least a stated size."""
        on = sample.geometry
        least_px = sample.min_px or 0
        least = f"{least_px * on.spacing_y_mm * on.spacing_x_mm:.6g} mm²"
        if math.isnan(on.spacing_x_mm):  # then as a share, whatever size the picture is sent in
            least = f"{100 * least_px / (on.height_px * on.width_px):.3g} % of the image"
        return (
            f"Count the separate regions of the {sample.name} in the image: regions that touch are "
            f"one, and a region smaller than {least} does not count."
        )

    def written(self, asked: Asked) -> Steps:
        """The box around all regions, then their number."""
        corners, number = asked.box_corners(), Decimal(int(asked.sample.truth[0]))
        lines = [
            f"All regions of the {asked.sample.name} lie in the box from {corners[0]} to "
            f"{corners[1]}.",
            f"Separate regions in it: {number}.",
        ]
        return Steps(lines=lines, values=[number])


def _edges(box: npt.ArrayLike, asked: Asked) -> tuple[Decimal, ...]:
    """A relative box on the slice as it is written of the picture sent."""
    sent = box_on_sent_from_slice(box, asked.view.perceived).tolist()
    return tuple(map(Decimal, ANSWER_FORMATS[Task.DETECTION].write(sent).split(", ")))


def _coordinates(spots: Iterable[Spot]) -> list[Decimal]:
    return [coordinate for spot in spots for coordinate in (spot.x, spot.y)]


def _third(twice_middle: Decimal, words: tuple[str, str, str]) -> str:
    return words[min(2, int(twice_middle * 3 / 2))]


def _ends(line: tuple[Point, Point]) -> str:
    return f"the {line[0].name} and the {line[1].name}"


def _directed(sample: Sample, spots: list[Spot]) -> list[Spot]:
    """Start and end of both lines; an angle at a shared landmark has both start there."""
    if sample.metric_kind != MetricKind.VERTEX_ANGLE:
        return spots
    keys = [point.key for point in sample.points]
    for first, second in ((0, 2), (0, 3), (1, 2), (1, 3)):
        if keys[first] == keys[second]:
            return [spots[first], spots[1 - first], spots[second], spots[5 - second]]
    msg = f"{sample.sample_id}: expected two lines with a shared landmark, found points {keys}"
    raise UnwritableTargetError(msg)


def _angle_steps(asked: Asked, spots: list[Spot]) -> Steps:
    a, b = asked.way(spots[0], spots[1]), asked.way(spots[2], spots[3])
    dot = rounded(a.dx_mm * b.dx_mm + a.dy_mm * b.dy_mm, LENGTH)
    cross = rounded(a.dx_mm * b.dy_mm - a.dy_mm * b.dx_mm, LENGTH)
    if dot == 0 and cross == 0:
        msg = (
            f"{asked.sample.sample_id}: expected lines of a length that four decimals show, found "
            f"A ({a.dx_mm}, {a.dy_mm}) mm and B ({b.dx_mm}, {b.dy_mm}) mm; leave this sample out"
        )
        raise UnwritableTargetError(msg)
    is_acute = asked.sample.metric_kind != MetricKind.VERTEX_ANGLE
    along = abs(dot) if is_acute else dot
    value = rounded(math.degrees(math.atan2(abs(cross), along)), ANSWER)
    lines = [
        f"Line A, {spots[0].name} to {spots[1].name}: {a.line}",
        f"Line B, {spots[2].name} to {spots[3].name}: {b.line}",
        f"dot = {a.dx_mm} * {b.dx_mm} + {a.dy_mm} * {b.dy_mm} = {dot}.",
        f"cross = {a.dx_mm} * {b.dy_mm} - {a.dy_mm} * {b.dx_mm} = {cross}.",
        f"Angle: atan2({abs(cross)}, {along}) = {value} degrees.",
    ]
    differences = [a.dx_mm, a.dy_mm, b.dx_mm, b.dy_mm]
    parts = (Part(lines=lines[:2], numbers=differences), Part(lines=lines[2:], numbers=[value]))
    return Steps(lines=lines, values=[value], parts=parts)


WORDINGS: Mapping[Task, Wording] = {
    Task.DETECTION: DetectionWording(),
    Task.TUMOR_LESION: TumorLesionWording(),
    Task.ANGLE_DISTANCE: AngleDistanceWording(),
    Task.AREA: AreaWording(),
    Task.COUNT: CountWording(),
    Task.INSTANCES: InstancesWording(),
}
"""The wording of every task."""

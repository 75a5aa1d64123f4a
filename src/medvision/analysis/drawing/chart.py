"""Charts described: what is drawn where, in numbers already worked out; `chart_svg` draws them.

A chart computes nothing. It holds panels of three kinds: rows of values with intervals
(`RowsPanel`), a plane with two axes (`PlanePanel`), counts in cells (`CellsPanel`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

XY = tuple[float, float]
Interval = tuple[float, float]


class Tone(StrEnum):
    """A colour by what it stands for: told apart by every common kind of colour vision.

    All but `TEXT` have at least three times the contrast of white and of near-black paper (Okabe
    and Ito's colours of middle lightness), so that a chart serves pages of either kind.
    """

    TEXT = "currentColor"
    GREY = "#808488"
    BLUE = "#0072b2"
    ORANGE = "#d55e00"
    GREEN = "#009e73"
    PINK = "#c0609a"
    VIOLET = "#7a6bd1"
    BROWN = "#a07024"


SERIES = (Tone.BLUE, Tone.ORANGE, Tone.GREEN, Tone.PINK, Tone.VIOLET, Tone.BROWN)
"""Of several models, in their order."""

Sign = Literal["dot", "ring", "cross", "diamond", "square", "bar", "line", "dashes", "band"]
"""The shape of a mark: what a colour says is said by a shape too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """One word of the legend."""

    text: str
    sign: Sign
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        title: With its unit.
        low: Least value shown; None for the least drawn.
        high: The same, greatest.
        is_log: Whether equal steps are equal factors; values are above 0 then.
    """

    title: str
    low: float | None = None
    high: float | None = None
    is_log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value on a row's axis.

    Attributes:
        value: Its place.
        interval: Drawn as a line through it; a "bar" or "band" reaches from end to end instead.
        sign: Its shape.
        tone: Its colour.
        words: Shown over a bar, where they fit, and to whoever points at the mark.
    """

    value: float
    interval: Interval | None = None
    sign: Sign = "dot"
    tone: Tone = Tone.BLUE
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a panel of rows.

    Attributes:
        label: At its left; shortened in the middle where it is too long.
        marks: For each of the panel's axes.
        note: At its right, such as n.
        is_head: Whether the label heads the rows below it.
    """

    label: str
    marks: tuple[tuple[Mark, ...], ...] = ()
    note: str = ""
    is_head: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsPanel:
    """Rows of values, above one or more axes side by side.

    Attributes:
        title: Above it.
        axes: From left to right.
        rows: From top to bottom.
        references: A value of each axis to hold the others against; None without.
        note_title: Above the rows' notes.
    """

    title: str
    axes: tuple[Axis, ...]
    rows: tuple[Row, ...]
    references: tuple[float | None, ...]
    note_title: str = "n (subjects)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Something on a plane, all of one look.

    Attributes:
        points: From left to right.
        sign: "line" and "dashes" join the points; "bar" fills from the axis to each point, over the
            width from it to the next; "band" fills the polygon that they border; others mark each.
        tone: Its colour.
        intervals: Of each point's y, drawn as an upright line; None for none.
        is_joined: Whether marked points are joined by a thin line too.
    """

    points: tuple[XY, ...]
    sign: Sign = "dot"
    tone: Tone = Tone.BLUE
    intervals: tuple[Interval | None, ...] = ()
    is_joined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line across a plane at one value of an axis."""

    axis: Literal["x", "y"]
    value: float
    tone: Tone = Tone.GREY
    words: str = ""
    is_dashed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanePanel:
    """Two axes and what is drawn between them."""

    title: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    rules: tuple[Rule, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellsPanel:
    """Counts of pairs: a row for each true class, a column for each answered one."""

    title: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    note: str = ""


Panel = RowsPanel | PlanePanel | CellsPanel


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure.

    Attributes:
        title: What it shows.
        panels: Rows take its whole width, others half.
        legend: What signs and colours stand for.
        caption: How much it rests on, and what was left out.
    """

    title: str
    panels: tuple[Panel, ...]
    legend: tuple[LegendEntry, ...] = ()
    caption: str = ""

"""The measure of a verdict's task, as axes name it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from medvision.analysis.tables import group_title
from medvision.analysis.units import UNIT_TEXT
from medvision.analysis.verdicts.verdict import Found, Verdict
from medvision.tasks import TASKS, Task

MOST_ROWS, MOST_PANELS = 26, 12
"""Drawn of one task, and in one figure; the caption says how many are not."""

_WORDS = {"iou": "IoU", "f1": "F1", "exact": "exact answers", "relative_error": "relative error",
          "absolute_error": "absolute error"}  # fmt: skip
"""Headline measures by their column of the score rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The headline measure of a task.

    Attributes:
        name: Without unit.
        unit: As printed.
        scale: Printed number / stored number.
        is_error: Whether smaller is better.
    """

    name: str
    unit: str
    scale: float
    is_error: bool

    @property
    def better_by(self) -> str:
        """Title of an axis of differences, better to the right."""
        return f"{self.name} {'smaller' if self.is_error else 'higher'} by ({self.gap_unit})"

    @property
    def gap_unit(self) -> str:
        """Of differences, as printed."""
        return "% points" if self.unit == "%" else self.unit


def measured(task_name: str) -> Measured:
    """The measure of a task as verdicts name it.

    Example:
        >>> measured("ad (deg)").better_by
        'absolute error smaller by (°)'
    """
    task, _, unit = task_name.partition(" ")
    record = TASKS[Task(task)]
    column = record.headline_column
    unit = unit.strip("()") or record.units[0]
    text = {"iou": "0–1", "f1": "0–1", "exact": "%", "relative_error": "%"}.get(
        column, UNIT_TEXT.get(unit, unit)
    )
    return Measured(
        name=_WORDS[column],
        unit=text,
        scale=100 if text == "%" else 1,
        is_error=column.endswith("error"),
    )


def task_title(task_name: str) -> str:
    """A task as charts head it.

    Example:
        >>> task_title("ad (deg)")
        'Angles and distances (°)'
    """
    task, _, unit = task_name.partition(" ")
    unit = unit.strip("()")
    return TASKS[Task(task)].title + (f" ({UNIT_TEXT.get(unit, unit)})" if unit else "")


def by_task(verdicts: Iterable[Verdict]) -> Iterator[tuple[str, list[Verdict]]]:
    """Verdicts of each task, in the order of the tasks."""
    order = [str(task) for task in Task]
    known = sorted(
        (one for one in verdicts if one.task),
        key=lambda one: (order.index(one.task.partition(" ")[0]), one.task),
    )
    for task, own in groupby(known, key=lambda one: one.task):
        yield task, list(own)


def group_words(group: str) -> str:
    """A verdict's group as charts say it.

    Example:
        >>> group_words("size_bin=>10%"), group_words("major slope"), group_words("")
        ('target size: >10%', 'major slope', 'all questions')
    """
    column, is_column, value = group.partition("=")
    return f"{group_title(column)}: {value}" if is_column else group or "all questions"


def side_by_side(verdicts: Sequence[Verdict], most: int = MOST_PANELS) -> list[Verdict]:
    """At most so many, models beside each other: what is found first, then numbers before boxes."""
    ranked = sorted(
        verdicts,
        key=lambda one: (one.verdict is not Found.FOUND, one.task == str(Task.DETECTION)),
    )
    kept = {id(one) for one in ranked[:most]}
    told = [one for _, own in by_task(verdicts) for one in own if id(one) in kept]
    places = {key: at for at, key in enumerate(dict.fromkeys((o.task, o.group) for o in told))}
    return sorted(told, key=lambda one: places[one.task, one.group])


def chosen(
    verdicts: Sequence[Verdict], most: int = MOST_ROWS, failing: Found = Found.FOUND
) -> list[Verdict]:
    """At most so many, in their order: whole tasks first, then groups that fail, then others."""
    ranked = sorted(
        range(len(verdicts)),
        key=lambda at: (bool(verdicts[at].group), verdicts[at].verdict is not failing),
    )
    return [verdicts[at] for at in sorted(ranked[:most])]


def counts(verdicts: Sequence[Verdict], drawn: int = -1) -> str:
    """How much verdicts rest on, and how many are not drawn, as a caption says it."""
    told = [one for one in verdicts if one.task]
    n, subjects = (
        max((getattr(one, name) for one in told), default=0) for name in ("n", "n_subjects")
    )
    left_out = len(told) - drawn if drawn >= 0 else 0
    rest = (
        f" {left_out} further verdicts are not drawn: medvision analyse --json." if left_out else ""
    )
    return f"n: up to {n} questions of {subjects} subjects. Intervals are 95 %, by subject.{rest}"

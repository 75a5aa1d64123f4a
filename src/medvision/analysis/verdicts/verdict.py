"""What an analysis says: found, not found, or not enough to tell; with the number behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from medvision.analysis.verdicts.estimates import Estimate
from medvision.tasks import TASKS, Task

MIN_SUBJECTS = 5
"""Fewer subjects say nothing about others: no verdict."""

MIN_ROWS = 20
"""The same of questions."""


class Found(StrEnum):
    """Whether an analysis finds what it looks for."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    NOT_ENOUGH = "not_enough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One answer of one analysis.

    Attributes:
        name: Of the analysis.
        model: The run's name; two of them for a comparison, "A against B".
        task: Asked for, with its unit where a task has several ("ad (deg)").
        group: Which of its questions, "" for all of them.
        verdict: Whether it is found.
        value: The number behind it; None where there is none.
        interval: 95 % by subject.
        n: Questions it rests on.
        n_subjects: Subjects they are of.
        quantity: What the value is, in a few words with its unit.
        words: One sentence for a reader.
        details: Further numbers, JSON types only.
        drawn: Points that its chart shows, not part of the JSON.
    """

    name: str
    model: str
    task: str
    group: str = ""
    verdict: Found
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    n_subjects: int = 0
    quantity: str = ""
    words: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    drawn: tuple[tuple[float, float], ...] = ()


def task_name(task: Task, unit: str) -> str:
    """A task as verdicts name it: with the unit where the task has several.

    Example:
        >>> task_name(Task.ANGLE_DISTANCE, "deg"), task_name(Task.TUMOR_LESION, "mm")
        ('ad (deg)', 'tl')
    """
    return f"{task} ({unit})" if len(TASKS[task].units) > 1 else str(task)


def is_enough(estimate: Estimate) -> bool:
    """Whether so many questions of so many subjects allow a verdict."""
    return estimate.n >= MIN_ROWS and estimate.n_subjects >= MIN_SUBJECTS


def settled(estimate: Estimate, *, found: bool) -> Found:
    """The verdict of a test on an estimate; not enough where the estimate rests on too little."""
    if not is_enough(estimate):
        return Found.NOT_ENOUGH
    return Found.FOUND if found else Found.NOT_FOUND

"""What can be asked: one record a task, and nothing else states its facts.

A stage that treats tasks differently keeps one table of behaviour keyed by `Task`
(`samples.kinds`, `prompts.questions`, `prompts.targets`, `replies.forms`, `scoring.metrics`,
`models.guesses`, `analysis.drawing.kinds`); what all stages must agree on stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from medvision.errors import UsageError


class UnknownTaskError(UsageError, ValueError):
    """There is no task of that name."""


class Task(StrEnum):
    """What a sample asks for."""

    DETECTION = "detection"
    """Box of one structure: x0, y0, x1, y1 relative to the slice, lower-left origin."""
    TUMOR_LESION = "tl"
    """Major and minor axis length of one tumour or lesion, mm."""
    ANGLE_DISTANCE = "ad"
    """One angle in degrees or one distance in mm."""
    AREA = "area"
    """Area of all of one structure on the slice, mm²."""
    COUNT = "count"
    """How many separate components one tumour or lesion label has on the slice."""
    INSTANCES = "instances"
    """Boxes of all components of one structure in several pieces: detection with
    `instances = "all"`."""


class MetricKind(StrEnum):
    """What a measurement between landmarks is."""

    DISTANCE = "distance"
    """Between two landmarks, mm."""
    ANGLE = "angle"
    """Acute, between two lines, 0 to 90 degrees."""
    VERTEX_ANGLE = "vertex_angle"
    """At the landmark that two lines share, 0 to 180 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """The facts of one task.

    Attributes:
        title: As reports head it.
        about: What is asked, in a sentence or two.
        names: What the values are called in prompts, in the order of truth and answer.
        shown_names: What plots call them; "" for a task of one value.
        asked_for: The values in words, for each unit the answer may be asked in.
        decimals: With how many each value is written; 0 for whole numbers.
        headline_metric: The aggregate that stands for the task; see `docs/conventions.md`.
        headline_column: The column of a score row that the headline metric averages.
        higher_is_better: Direction of that aggregate.
        short_metrics: The aggregates of a summary of a few lines.
        is_list: Whether truth and answer hold the values once for each of any number of structures.
        validation_metric: What the task adds to the one number by which checkpoints are kept: from
            0 to 1, larger is better, unread replies count 0.
    """

    title: str
    about: str
    names: tuple[str, ...]
    shown_names: tuple[str, ...]
    asked_for: Mapping[str, str]
    decimals: int
    headline_metric: str
    headline_column: str
    higher_is_better: bool
    short_metrics: tuple[str, ...]
    validation_metric: str
    is_list: bool = False

    @property
    def n_values(self) -> int:
        """How many numbers the truth and a complete answer have; of a list, for each structure."""
        return len(self.names)

    @property
    def is_box(self) -> bool:
        """Whether the values are edges of boxes, relative to the slice."""
        return self.units == ("relative",)

    def has_length(self, n_numbers: int) -> bool:
        """Whether a truth or a complete answer may have so many numbers.

        Example:
            >>> TASKS[Task.DETECTION].has_length(8), TASKS[Task.INSTANCES].has_length(8)
            (False, True)
        """
        if self.is_list:
            return n_numbers % self.n_values == 0
        return n_numbers == self.n_values

    @property
    def units(self) -> tuple[str, ...]:
        """Units the answer may be asked in, the first one by default."""
        return tuple(self.asked_for)

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers."""
        return self.decimals == 0


_CORNERS = ("x0", "y0", "x1", "y1")
_ERROR_METRICS = ("mae_mean_parsed", "mre_mean_parsed", "mre_below_0.1_frac")

TASKS: Mapping[Task, TaskRecord] = MappingProxyType(
    {
        Task.DETECTION: TaskRecord(
            title="Detection",
            about="Where is the structure? The bounding box of one structure on one slice, as "
            "fractions of the image with the origin at the lower left.",
            names=_CORNERS,
            shown_names=_CORNERS,
            asked_for={
                "relative": "a bounding box by its lower left corner (x0, y0) and its upper right "
                "corner (x1, y1), as fractions of the image's width and height counted from the "
                "lower left",
            },
            decimals=4,
            headline_metric="iou_mean_zero_filled",
            headline_column="iou",
            higher_is_better=True,
            short_metrics=("iou_mean_zero_filled", "iou_mean_parsed", "iou_at_0.5_frac"),
            validation_metric="iou_mean_zero_filled",
        ),
        Task.TUMOR_LESION: TaskRecord(
            title="Tumour and lesion size",
            about="How large is it? Major and minor axis of the ellipse fitted to one tumour or "
            "lesion on one slice, in mm.",
            names=("major", "minor"),
            shown_names=("major axis", "minor axis"),
            asked_for={
                "mm": "the lengths of the major and the minor axis of a structure in millimetres",
            },
            decimals=2,
            headline_metric="mre_mean_parsed",
            headline_column="relative_error",
            higher_is_better=False,
            short_metrics=_ERROR_METRICS,
            validation_metric="mre_below_0.1_frac",
        ),
        Task.ANGLE_DISTANCE: TaskRecord(
            title="Angles and distances",
            about="How far, and at what angle? One distance in mm or one acute angle between two "
            "lines in degrees, from landmarks on one slice.",
            names=("value",),
            shown_names=("",),
            asked_for={"mm": "a distance in millimetres", "deg": "an angle in degrees"},
            decimals=2,
            headline_metric="mae_mean_parsed",
            headline_column="absolute_error",
            higher_is_better=False,
            short_metrics=_ERROR_METRICS,
            validation_metric="mre_below_0.1_frac",
        ),
        Task.AREA: TaskRecord(
            title="Area",
            about="How much of the slice? Area of all of one structure on one slice, in mm².",
            names=("area",),
            shown_names=("",),
            asked_for={"mm2": "the area of a structure in square millimetres"},
            decimals=2,
            headline_metric="mre_mean_parsed",
            headline_column="relative_error",
            higher_is_better=False,
            short_metrics=_ERROR_METRICS,
            validation_metric="mre_below_0.1_frac",
        ),
        Task.COUNT: TaskRecord(
            title="Count",
            about="How many are there? The number of separate regions of one tumour or lesion "
            "label on one slice.",
            names=("count",),
            shown_names=("",),
            asked_for={"count": "the number of separate regions of a structure"},
            decimals=0,
            headline_metric="exact_frac",
            headline_column="exact",
            higher_is_better=True,
            short_metrics=("exact_frac", "mae_mean_parsed", "mre_mean_parsed"),
            validation_metric="exact_frac",
        ),
        Task.INSTANCES: TaskRecord(
            title="Detection of every instance",
            about="Where are they all? The bounding box of every separate region of one structure "
            "on one slice, matched one to one with the true boxes.",
            names=_CORNERS,
            shown_names=_CORNERS,
            asked_for={
                "relative": "a list of bounding boxes, each by its lower left corner (x0, y0) and "
                "its upper right corner (x1, y1), as fractions of the image's width and height "
                "counted from the lower left",
            },
            decimals=4,
            headline_metric="f1_mean_zero_filled",
            headline_column="f1",
            higher_is_better=True,
            short_metrics=(
                "f1_mean_zero_filled",
                "precision_mean_zero_filled",
                "recall_mean_zero_filled",
            ),
            validation_metric="f1_mean_zero_filled",
            is_list=True,
        ),
    }
)
"""The record of every task, in the order in which reports show them."""


BOX_TASKS = frozenset(task for task, record in TASKS.items() if record.is_box)
"""Tasks whose prompts need no pixel size."""


def known_task(name: Task | str) -> Task:
    """The task of a name.

    Raises:
        UnknownTaskError: There is none.

    Example:
        >>> known_task("tl")
        <Task.TUMOR_LESION: 'tl'>
    """
    try:
        return Task(name)
    except ValueError as unknown:
        msg = f"expected a task out of {', '.join(Task)}, found {name!r}"
        raise UnknownTaskError(msg) from unknown

"""Which metrics each task's tables show, in which unit, and what each of them means."""

from dataclasses import dataclass, replace
from typing import Literal

from medvision.scoring.group_averages import GROUP_MEAN, SAMPLE_WEIGHTED
from medvision.tasks import TASKS, Task

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricColumn:
    """One metric as a table column.

    Attributes:
        key: Column of the aggregate table; `key`_low and `key`_high hold its interval.
        title: Head of the column; the policy is part of it.
        policy: "zero-filled", "parsed" or "over all": which samples count, and how.
        unit: As printed; "" follows the task's unit.
        scale: Printed number / stored number (100 for per cent).
        decimals: Printed after the point.
        better: Direction of a better model.
        meaning: One sentence for the appendix.
    """

    key: str
    title: str
    policy: str
    unit: str
    scale: float
    decimals: int
    better: Better
    meaning: str


def _fraction(key: str, title: str, meaning: str) -> MetricColumn:
    """A share of all samples, printed in per cent."""
    return MetricColumn(
        key=key,
        title=title,
        policy="over all",
        unit="%",
        scale=100,
        decimals=1,
        better="higher",
        meaning=meaning,
    )


def _overlap(key: str, title: str, policy: str, meaning: str) -> MetricColumn:
    """A box measure between 0 and 1."""
    return MetricColumn(
        key=key,
        title=title,
        policy=policy,
        unit="0–1",
        scale=1,
        decimals=3,
        better="higher",
        meaning=meaning,
    )


SUCCESS_RATE = MetricColumn(
    key="success_rate",
    title="success rate",
    policy="of answered",
    unit="%",
    scale=100,
    decimals=1,
    better="higher",
    meaning="n_parsed / (n − n_error): replies from which the strict reading took an answer.",
)

_ZERO = "a sample without a parsed answer counts 0, one lost to an error is left out"
_PARSED = "samples without a parsed answer are left out"
_ALL = "share of all samples but those lost to errors; one without a parsed answer never reaches it"

DETECTION_COLUMNS = (
    SUCCESS_RATE,
    _overlap(
        "iou_mean_zero_filled",
        "IoU mean",
        "zero-filled",
        f"Intersection over union of the stated and the true box; {_ZERO}.",
    ),
    _overlap("iou_mean_parsed", "IoU mean", "parsed", f"The same, but {_PARSED}."),
    _overlap(
        "precision_mean_zero_filled",
        "precision mean",
        "zero-filled",
        f"Intersection / area of the stated box; {_ZERO}.",
    ),
    _overlap(
        "recall_mean_zero_filled",
        "recall mean",
        "zero-filled",
        f"Intersection / area of the true box; {_ZERO}.",
    ),
    _overlap(
        "f1_mean_zero_filled",
        "F1 mean",
        "zero-filled",
        f"2 · intersection / (area of stated + area of true box); {_ZERO}.",
    ),
    _fraction("iou_at_0.5_frac", "IoU ≥ 0.5", f"IoU of at least 0.5: {_ALL}."),
    _fraction("iou_at_0.75_frac", "IoU ≥ 0.75", f"IoU of at least 0.75: {_ALL}."),
    _fraction(
        "iou_at_0.5_to_0.95_mean_frac",
        "IoU ≥ 0.5 … 0.95",
        f"Mean over the ten thresholds 0.50, 0.55 … 0.95: {_ALL}.",
    ),
)

MEASUREMENT_COLUMNS = (
    SUCCESS_RATE,
    MetricColumn(
        key="mae_mean_parsed",
        title="absolute error mean",
        policy="parsed",
        unit="",
        scale=1,
        decimals=2,
        better="lower",
        meaning=f"|answer − truth|, the mean over a sample's numbers; {_PARSED}.",
    ),
    MetricColumn(
        key="mre_mean_parsed",
        title="relative error mean",
        policy="parsed",
        unit="%",
        scale=100,
        decimals=1,
        better="lower",
        meaning=f"|answer − truth| / truth, the mean over a sample's numbers; {_PARSED}, and "
        "angles and distances whose truth is below 0.1.",
    ),
    MetricColumn(
        key="mre_median_parsed",
        title="relative error median",
        policy="parsed",
        unit="%",
        scale=100,
        decimals=1,
        better="lower",
        meaning=f"Median of the same; {_PARSED}. A few wild answers do not move it.",
    ),
    MetricColumn(
        key="nmae_mean_parsed",
        title="error / diagonal mean",
        policy="parsed",
        unit="%",
        scale=100,
        decimals=2,
        better="lower",
        meaning=f"Lengths only: absolute error / physical diagonal of the image; {_PARSED}.",
    ),
    *(
        _fraction(
            f"mre_below_{limit}_frac",
            f"relative error < {limit}",
            f"Mean relative error below {limit}: {_ALL}.",
        )
        for limit in ("0.1", "0.2", "0.5", "1.0")
    ),
)

COUNT_COLUMNS = (
    SUCCESS_RATE,
    _fraction("exact_frac", "exact", f"The answer is the true number: {_ALL}."),
    *(
        column
        for column in MEASUREMENT_COLUMNS
        if column.key in {"mae_mean_parsed", "mre_mean_parsed"}
    ),
)

_MATCHED = "boxes are matched one to one, as many as can be, at an IoU of at least 0.5"
INSTANCES_COLUMNS = (
    SUCCESS_RATE,
    _overlap(
        "precision_mean_zero_filled",
        "precision mean",
        "zero-filled",
        f"Matched boxes / boxes stated; {_MATCHED}; {_ZERO}.",
    ),
    _overlap(
        "recall_mean_zero_filled",
        "recall mean",
        "zero-filled",
        f"Matched boxes / true boxes; {_MATCHED}; {_ZERO}.",
    ),
    _overlap(
        "f1_mean_zero_filled",
        "F1 mean",
        "zero-filled",
        f"2 · matched / (boxes stated + true boxes); {_MATCHED}; {_ZERO}.",
    ),
    _overlap("f1_mean_parsed", "F1 mean", "parsed", f"The same, but {_PARSED}."),
)

METRIC_COLUMNS: dict[Task, tuple[MetricColumn, ...]] = {
    Task.DETECTION: DETECTION_COLUMNS,
    Task.TUMOR_LESION: MEASUREMENT_COLUMNS,
    Task.ANGLE_DISTANCE: MEASUREMENT_COLUMNS,
    Task.AREA: MEASUREMENT_COLUMNS,
    Task.COUNT: COUNT_COLUMNS,
    Task.INSTANCES: INSTANCES_COLUMNS,
}
"""Columns of each task's tables, in their order; those an aggregate lacks are left out."""

_WEIGHTS = {
    SAMPLE_WEIGHTED: ("weighted by samples", "a group counts by its samples, as the paper does"),
    GROUP_MEAN: ("groups alike", "all groups count alike"),
}
"""End of a metric's name to head and meaning of the average over groups."""

AVERAGE_COLUMNS: dict[Task, tuple[MetricColumn, ...]] = {
    task: tuple(
        replace(
            column,
            key=f"{column.key}{ending}",
            policy=f"{column.policy}, {words}",
            meaning=f"{column.meaning} Mean over groups of region, modality and plane: {meaning}.",
        )
        for column in columns
        if column.key in {SUCCESS_RATE.key, *TASKS[task].short_metrics}
        for ending, (words, meaning) in _WEIGHTS.items()
    )
    for task, columns in METRIC_COLUMNS.items()
}
"""Columns of the averages over groups: those of a task's summary, by both weights."""

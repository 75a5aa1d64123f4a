"""What aggregates sum and divide: every averaged metric is one row of `RATIO_METRICS`.

The policy is in the name. `_zero_filled`: a sample without a parsed answer counts 0. `_parsed`: it
is left out. `_frac` at or below a threshold: share of all samples, one without a parsed answer
never counting as reached. Errors of the harness are in no sum at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.replies import AnswerStatus
from medvision.scoring.alignment import ERROR
from medvision.scoring.columns import NumberLists, one_chunk
from medvision.scoring.metrics import METRICS, BoolArray, FloatArray, has_relative_error
from medvision.tasks import TASKS, Task

IOU_STEPS = ("0.5", "0.55", "0.6", "0.65", "0.7", "0.75", "0.8", "0.85", "0.9", "0.95")
"""Thresholds over which `iou_at_0.5_to_0.95_mean_frac` is a mean."""

IOU_THRESHOLDS = ("0.1", "0.2", "0.25", "0.3", "0.4", *IOU_STEPS)
"""An IoU reaches a threshold it equals (≥)."""

MRE_THRESHOLDS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0")
"""A relative error is below a threshold only if it is less (<); one of 9 or 99 is below none."""

THRESHOLD_TOLERANCE = 1e-9
"""Two values nearer than this are equal: |0.9 − 1| is 0.1, though floating point makes it less."""

MEASURED_COLUMNS = (
    *METRICS,
    "nmae_frac",
    "iou_recovered",
    "absolute_error_recovered",
    "relative_error_recovered",
)


ADDED_COLUMNS = frozenset({"exact"})
"""Columns that scores written by an earlier version lack: null there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreColumns:
    """Score rows as arrays.

    Attributes:
        status: Of each row, as in `SCORE_SCHEMA`.
        is_error: Whether the harness failed; such a row counts in no metric.
        is_parsed: Whether the strict reading is ok.
        is_recovered: Whether the lenient reading is ok.
        is_box: Whether the task is detection of one box.
        is_overlap: Whether answers are boxes, one or several.
        is_whole: Whether the task asks for whole numbers.
        may_have_relative: Whether the truth allows a relative error, whatever was answered.
        measured: The metric columns; NaN where null.
    """

    status: pa.Array
    is_error: BoolArray
    is_parsed: BoolArray
    is_recovered: BoolArray
    is_box: BoolArray
    is_overlap: BoolArray
    is_whole: BoolArray
    may_have_relative: BoolArray
    measured: Mapping[str, FloatArray]


def score_columns(scores: pa.Table) -> ScoreColumns:
    """The columns that aggregates need of a score table."""
    status = one_chunk(scores["status"])
    tasks = one_chunk(scores["task"])
    return ScoreColumns(
        status=status,
        is_error=is_word(status, ERROR),
        is_parsed=is_word(status, AnswerStatus.OK),
        is_recovered=is_word(one_chunk(scores["recovered_status"]), AnswerStatus.OK),
        is_box=is_word(tasks, Task.DETECTION),
        is_overlap=_is_any(tasks, [task for task in Task if TASKS[task].is_box]),
        is_whole=_is_any(tasks, [task for task in Task if TASKS[task].is_whole]),
        may_have_relative=_may_have_relative(tasks, NumberLists.of(scores["truth"])),
        measured={name: _measured(scores, name) for name in MEASURED_COLUMNS},
    )


def _measured(scores: pa.Table, name: str) -> FloatArray:
    if name in ADDED_COLUMNS and name not in scores.column_names:
        return np.full(scores.num_rows, np.nan)
    return np.asarray(scores[name].to_numpy().astype(np.float64, copy=False))


def is_word(column: pa.Array, word: str) -> BoolArray:
    """Where a text column says `word`; null does not."""
    same = pc.fill_null(pc.equal(column, word), fill_value=False)
    return np.asarray(same.to_numpy(zero_copy_only=False))


def _is_any(column: pa.Array, words: Sequence[str]) -> BoolArray:
    return np.asarray(np.logical_or.reduce([is_word(column, word) for word in words]))


def _may_have_relative(tasks: pa.Array, truth: NumberLists) -> BoolArray:
    allowed = np.zeros(len(tasks), dtype=np.bool_)
    for task in Task:
        rows = np.flatnonzero(is_word(tasks, task))
        allowed[rows] = has_relative_error(task, truth.of_task(task, rows))
    return allowed


Term = Callable[[ScoreColumns], npt.NDArray[np.float64] | BoolArray]
"""A number for each row, to be summed."""


def _terms_of(name: str) -> dict[str, Term]:
    """Sum and count of a metric column; a row without the metric adds 0 to both."""
    return {
        f"sum_{name}": lambda columns: np.nan_to_num(columns.measured[name], posinf=np.inf),
        f"count_{name}": lambda columns: ~np.isnan(columns.measured[name]),
    }


def _at_threshold(text: str, *, is_iou: bool) -> Term:
    # Each threshold needs a function of its own: a lambda in a comprehension would see the last.
    threshold = float(text) - THRESHOLD_TOLERANCE
    if is_iou:
        return lambda columns: columns.measured["iou"] >= threshold
    return lambda columns: columns.measured["relative_error"] < threshold


def _steps_frac(iou: FloatArray) -> FloatArray:
    """Share of the thresholds from 0.5 to 0.95 that each IoU reaches; NaN reaches none."""
    limits = np.array([float(text) for text in IOU_STEPS]) - THRESHOLD_TOLERANCE
    return np.asarray(np.mean(iou[:, None] >= limits, axis=1))


TERMS: Mapping[str, Term] = MappingProxyType(
    {
        "answered": lambda columns: ~columns.is_error,
        "parsed": lambda columns: columns.is_parsed,
        "recovered": lambda columns: columns.is_recovered & ~columns.is_error,
        "answered_box": lambda columns: columns.is_box & ~columns.is_error,
        "answered_overlap": lambda columns: columns.is_overlap & ~columns.is_error,
        "answered_whole": lambda columns: columns.is_whole & ~columns.is_error,
        "answered_relative": lambda columns: columns.may_have_relative & ~columns.is_error,
        **{name: term for column in MEASURED_COLUMNS for name, term in _terms_of(column).items()},
        **{f"iou_at_{text}": _at_threshold(text, is_iou=True) for text in IOU_THRESHOLDS},
        "iou_steps_frac": lambda columns: _steps_frac(columns.measured["iou"]),
        **{f"mre_below_{text}": _at_threshold(text, is_iou=False) for text in MRE_THRESHOLDS},
    }
)
"""What is summed over rows, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioMetric:
    """A metric that is one term's sum over another's; undefined where the latter is 0."""

    name: str
    numerator: str
    denominator: str


def _mean(name: str, column: str, denominator: str | None = None) -> RatioMetric:
    return RatioMetric(
        name=name, numerator=f"sum_{column}", denominator=denominator or f"count_{column}"
    )


_OVERLAPS = {
    "iou": "answered_box",
    **dict.fromkeys(("precision", "recall", "f1"), "answered_overlap"),
}
"""Measures of boxes, and the samples over which each is a mean; a list of boxes has no IoU."""

RATIO_METRICS = (
    RatioMetric(name="success_rate", numerator="parsed", denominator="answered"),
    RatioMetric(name="success_rate_recovered", numerator="recovered", denominator="answered"),
    *(
        metric
        for name, asked in _OVERLAPS.items()
        for metric in (
            _mean(f"{name}_mean_zero_filled", name, asked),
            _mean(f"{name}_mean_parsed", name),
        )
    ),
    *(
        RatioMetric(
            name=f"iou_at_{text}_frac", numerator=f"iou_at_{text}", denominator="answered_box"
        )
        for text in IOU_THRESHOLDS
    ),
    RatioMetric(
        name="iou_at_0.5_to_0.95_mean_frac",
        numerator="iou_steps_frac",
        denominator="answered_box",
    ),
    RatioMetric(name="exact_frac", numerator="sum_exact", denominator="answered_whole"),
    _mean("mae_mean_parsed", "absolute_error"),
    _mean("mre_mean_parsed", "relative_error"),
    _mean("nmae_mean_parsed", "nmae_frac"),
    *(
        RatioMetric(
            name=f"mre_below_{text}_frac",
            numerator=f"mre_below_{text}",
            denominator="answered_relative",
        )
        for text in MRE_THRESHOLDS
    ),
    RatioMetric(
        name="mre_unbounded_frac",
        numerator="count_relative_error",
        denominator="answered_relative",
    ),
    _mean("iou_mean_zero_filled_recovered", "iou_recovered", "answered_box"),
    _mean("iou_mean_parsed_recovered", "iou_recovered"),
    _mean("mae_mean_parsed_recovered", "absolute_error_recovered"),
    _mean("mre_mean_parsed_recovered", "relative_error_recovered"),
)
"""Metrics with intervals, in the order of the aggregate's columns."""

MEDIAN_METRICS: Mapping[str, str] = MappingProxyType(
    {"mae_median_parsed": "absolute_error", "mre_median_parsed": "relative_error"}
)
"""Metrics without intervals: name to the column whose median over parsed answers it is."""

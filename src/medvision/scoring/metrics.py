"""Per-sample metrics: the one definition behind `score`, `score_table` and every report.

Pure array functions. Rows are samples; NaN marks "undefined" inside this package only (a frozen row
says None, a table null). Boxes are relative, lower-left origin: IoU and its kin are the same in any
frame whose axes are scaled copies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from medvision.tasks import TASKS, Task

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MIN_RELATIVE_TRUTH: Mapping[Task, float] = MappingProxyType({Task.ANGLE_DISTANCE: 0.1})
"""Truths under this (mm or degrees) have no relative error; elsewhere only 0 has none."""

EDGE_TOLERANCE_FRAC = 1e-9
"""Slack for rounding: how far a stored relative coordinate may leave [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Metrics of n answered samples of one task; arrays of NaN where the task has no such metric.

    Attributes:
        iou: (n,) intersection / union, 0 to 1, like the three below.
        precision: (n,) intersection / area of the answered box.
        recall: (n,) intersection / area of the true box.
        f1: (n,) 2 · intersection / (area of the answered + area of the true box).
        absolute_errors: (n, values) |answer − truth| of each value, in the sample's unit; (n, 0)
            for detection.
        absolute_error: (n,) their mean.
        relative_error: (n,) mean over the values of |answer − truth| / truth.
    """

    iou: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    absolute_errors: FloatArray
    absolute_error: FloatArray
    relative_error: FloatArray


def measures(task: Task, truth: FloatArray, values: FloatArray) -> Measures:
    """Metrics of complete answers.

    Args:
        task: Of all rows.
        truth: (n, values) valid truths, see `is_valid_truth`.
        values: (n, values) answers in the same order, frame and unit.
    """
    if task is Task.DETECTION:
        return _box_measures(truth, values)
    return _error_measures(task, truth, values)


def _box_measures(truth: FloatArray, values: FloatArray) -> Measures:
    truth_wh, value_wh = truth[:, 2:] - truth[:, :2], values[:, 2:] - values[:, :2]
    low = np.maximum(truth[:, :2], values[:, :2])
    high = np.minimum(truth[:, 2:], values[:, 2:])
    overlap_wh = np.maximum(high - low, 0.0)
    intersection = _product(overlap_wh)
    both = _product(truth_wh) + _product(value_wh)
    undefined = np.full(len(truth), np.nan)
    return Measures(
        iou=intersection / (both - intersection),
        precision=_covered(overlap_wh, value_wh),
        recall=_covered(overlap_wh, truth_wh),
        f1=2 * intersection / both,
        absolute_errors=np.empty((len(truth), 0)),
        absolute_error=undefined,
        relative_error=undefined,
    )


def _covered(overlap_wh: FloatArray, wh: FloatArray) -> FloatArray:
    """Share of a box that the overlap covers: side by side, as a tiny box's area may round to 0.

    0 for a box without area: nothing of it covers anything.
    """
    share_wh = np.divide(overlap_wh, wh, out=np.zeros_like(wh), where=wh > 0)
    return np.asarray(share_wh[:, 0] * share_wh[:, 1])


def _product(wh: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):  # a box of 1e200 by 1e200 has an infinite area and IoU 0
        return np.asarray(wh[:, 0] * wh[:, 1])


def _error_measures(task: Task, truth: FloatArray, values: FloatArray) -> Measures:
    errors = np.abs(values - truth)
    has_relative = has_relative_error(task, truth)
    relative = np.full(len(truth), np.nan)
    relative[has_relative] = np.mean(errors[has_relative] / truth[has_relative], axis=1)
    undefined = np.full(len(truth), np.nan)
    return Measures(
        iou=undefined,
        precision=undefined,
        recall=undefined,
        f1=undefined,
        absolute_errors=errors,
        absolute_error=errors.mean(axis=1),
        relative_error=relative,
    )


def has_relative_error(task: Task, truth: FloatArray) -> BoolArray:
    """(n,) whether samples have a relative error, whatever was answered: (n, values) to (n,)."""
    if task is Task.DETECTION:
        return np.zeros(len(truth), dtype=np.bool_)
    smallest = truth.min(axis=1)
    return np.asarray((smallest > 0) & (smallest >= MIN_RELATIVE_TRUTH.get(task, 0.0)))


def is_valid_truth(task: Task, truth: FloatArray) -> BoolArray:
    """(n,) whether truths are what `truth_rule` says: (n, values) to (n,)."""
    if task is Task.DETECTION:
        low, high = -EDGE_TOLERANCE_FRAC, 1 + EDGE_TOLERANCE_FRAC
        inside = np.all((truth >= low) & (truth <= high), axis=1)  # NaN compares false
        wh = np.where(inside[:, None], truth[:, 2:] - truth[:, :2], 0.0)
        return np.asarray(np.all(wh > 0, axis=1) & (_product(wh) > 0))
    return np.asarray(is_valid_answer(task, truth) & np.all(truth >= 0, axis=1))


def is_valid_answer(task: Task, values: FloatArray) -> BoolArray:
    """(n,) whether answers can be measured: finite, and for a box corners in order.

    A box may leave [0, 1]: a model that saw a padded canvas may have pointed into the padding. A
    side may be 0: a tiny box read well may collapse when its frame is mapped back to the slice.
    """
    finite = np.all(np.isfinite(values), axis=1)
    if task is Task.DETECTION:
        return np.asarray(finite & np.all(values[:, 2:] >= values[:, :2], axis=1))
    return np.asarray(finite)


def truth_rule(task: Task) -> str:
    """What a valid truth of a task is, for messages."""
    if task is Task.DETECTION:
        return "4 numbers x0, y0, x1, y1 in [0, 1] with x0 < x1 and y0 < y1"
    return f"{TASKS[task].n_values} finite number(s) ≥ 0"


def answer_rule(task: Task) -> str:
    """What the values of an ok answer are, for messages."""
    if task is Task.DETECTION:
        return "4 finite numbers x0, y0, x1, y1 with x0 ≤ x1 and y0 ≤ y1"
    return f"{TASKS[task].n_values} finite number(s)"


def image_diagonal_mm(
    *,
    height_px: npt.ArrayLike,
    width_px: npt.ArrayLike,
    spacing_y_mm: npt.ArrayLike,
    spacing_x_mm: npt.ArrayLike,
) -> FloatArray:
    """Physical length of slices' diagonals, the scale of nMAE: arrays of one shape to that shape.

    Example:
        height_px=300, width_px=400, spacing 0.5 mm both ways: 250 mm.
    """
    height_mm = np.multiply(height_px, spacing_y_mm, dtype=np.float64)
    width_mm = np.multiply(width_px, spacing_x_mm, dtype=np.float64)
    return np.asarray(np.hypot(height_mm, width_mm))

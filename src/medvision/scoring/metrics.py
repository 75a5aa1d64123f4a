"""Per-sample metrics: the one definition behind `score`, `score_table` and every report.

Pure array functions. Rows are samples; NaN marks "undefined" inside this package only (a frozen row
says None, a table null). Boxes are relative, lower-left origin: IoU and its kin are the same in any
frame whose axes are scaled copies.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from medvision.tasks import TASKS, Task

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MATCHED_IOU = 0.5 - 1e-9
"""Of lists, boxes that share as much are the same; 0.5 itself is enough, however it is rounded."""

EDGE_TOLERANCE_FRAC = 1e-9
"""Slack for rounding: how far a stored relative coordinate may leave [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Metrics of n answered samples of one task; arrays of NaN where the task has no such metric.

    Attributes:
        iou: (n,) intersection / union, 0 to 1, like the three below.
        precision: (n,) intersection / area of the answered box; of a list, matched boxes / boxes
            answered.
        recall: (n,) intersection / area of the true box; of a list, matched / true boxes.
        f1: (n,) 2 · intersection / (area of the answered + area of the true box); of a list, 2 ·
            matched / (answered + true boxes).
        absolute_errors: (n, values) |answer − truth| of each value, in the sample's unit; (n, 0)
            for detection.
        absolute_error: (n,) their mean.
        relative_error: (n,) mean over the values of |answer − truth| / truth.
        exact: (n,) 1 where a whole number is the truth, else 0.
    """

    iou: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    absolute_errors: FloatArray
    absolute_error: FloatArray
    relative_error: FloatArray
    exact: FloatArray


METRICS = tuple(entry.name for entry in fields(Measures) if entry.name != "absolute_errors")
"""Names of the metrics that are one number a sample."""


def measures(task: Task, truth: FloatArray, values: FloatArray) -> Measures:
    """Metrics of complete answers.

    Args:
        task: Of all rows.
        truth: (n, values) valid truths, see `is_valid_truth`.
        values: (n, values) answers in the same order, frame and unit.
    """
    return SCORERS[task].measures(truth, values)


def has_relative_error(task: Task, truth: FloatArray) -> BoolArray:
    """(n,) whether samples have a relative error, whatever was answered: (n, values) to (n,)."""
    smallest = truth.min(axis=1)
    least = SCORERS[task].least_relative_truth
    return np.asarray((smallest > 0) & (smallest >= least))


def is_valid_truth(task: Task, truth: FloatArray) -> BoolArray:
    """(n,) whether truths are what `truth_rule` says: (n, values) to (n,)."""
    return SCORERS[task].is_valid_truth(truth)


def is_valid_answer(task: Task, values: FloatArray) -> BoolArray:
    """(n,) whether answers can be measured: (n, values) to (n,).

    A box may leave [0, 1]: a model that saw a padded canvas may have pointed into the padding. A
    side may be 0: a tiny box read well may collapse when its frame is mapped back to the slice.
    """
    return SCORERS[task].is_valid_answer(values)


def truth_rule(task: Task) -> str:
    """What a valid truth of a task is, for messages."""
    return f"{TASKS[task].n_values} {SCORERS[task].truth_rule}"


def answer_rule(task: Task) -> str:
    """What the values of an ok answer are, for messages."""
    return f"{TASKS[task].n_values} {SCORERS[task].answer_rule}"


class Scorer(ABC):
    """How answers of one task are measured.

    Attributes:
        truth_rule: What `is_valid_truth` asks, after the number of values.
        answer_rule: What `is_valid_answer` asks, after the number of values.
        least_relative_truth: Truths under this have no relative error, nor has 0.
    """

    truth_rule: str
    answer_rule: str
    least_relative_truth: float = 0.0

    @abstractmethod
    def measures(self, truth: FloatArray, values: FloatArray) -> Measures:
        """Metrics of (n, values) truths and complete answers."""

    @abstractmethod
    def is_valid_truth(self, truth: FloatArray) -> BoolArray:
        """(n, values) to (n,)."""

    @abstractmethod
    def is_valid_answer(self, values: FloatArray) -> BoolArray:
        """(n, values) to (n,)."""


class Boxes(Scorer):
    """One box, measured by how much they share."""

    truth_rule = "numbers x0, y0, x1, y1 in [0, 1] with x0 < x1 and y0 < y1"
    answer_rule = "finite numbers x0, y0, x1, y1 with x0 ≤ x1 and y0 ≤ y1"
    least_relative_truth = math.inf

    def measures(self, truth: FloatArray, values: FloatArray) -> Measures:
        """Shares of overlap; a box has no error."""
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
            exact=undefined,
        )

    def is_valid_truth(self, truth: FloatArray) -> BoolArray:
        """With an area, inside the picture."""
        low, high = -EDGE_TOLERANCE_FRAC, 1 + EDGE_TOLERANCE_FRAC
        inside = np.all((truth >= low) & (truth <= high), axis=1)  # NaN compares false
        wh = np.where(inside[:, None], truth[:, 2:] - truth[:, :2], 0.0)
        return np.asarray(np.all(wh > 0, axis=1) & (_product(wh) > 0))

    def is_valid_answer(self, values: FloatArray) -> BoolArray:
        """Corners in order; a side may be 0 and a corner outside."""
        return np.asarray(_is_finite(values) & np.all(values[:, 2:] >= values[:, :2], axis=1))


class BoxLists(Scorer):
    """Lists of boxes, NaN after the last: how many of them find a true one."""

    truth_rule = "numbers for each of at least one box, x0, y0, x1, y1 in [0, 1], x0 < x1, y0 < y1"
    answer_rule = "finite numbers for each box, x0, y0, x1, y1 with x0 ≤ x1 and y0 ≤ y1"
    least_relative_truth = math.inf

    def measures(self, truth: FloatArray, values: FloatArray) -> Measures:
        """Shares of the boxes that are matched; without any answered, precision is 0."""
        undefined = np.full(len(truth), np.nan)
        true_boxes, stated_boxes = _boxes(truth), _boxes(values)
        pairs = zip(true_boxes, stated_boxes, strict=True)
        n_matched = np.array([n_matched_boxes(*pair) for pair in pairs], dtype=np.float64)
        n_true = np.array([len(boxes) for boxes in true_boxes], dtype=np.float64)
        n_stated = np.array([len(boxes) for boxes in stated_boxes], dtype=np.float64)
        return Measures(
            iou=undefined,
            precision=n_matched / np.maximum(n_stated, 1),
            recall=n_matched / n_true,
            f1=2 * n_matched / (n_true + n_stated),
            absolute_errors=np.empty((len(truth), 0)),
            absolute_error=undefined,
            relative_error=undefined,
            exact=undefined,
        )

    def is_valid_truth(self, truth: FloatArray) -> BoolArray:
        """At least one, and each as the box of a single structure."""
        return self._are_all(Boxes().is_valid_truth, truth) & ~np.isnan(truth[:, :1]).all(axis=1)

    def is_valid_answer(self, values: FloatArray) -> BoolArray:
        """Any number of boxes, none included."""
        return self._are_all(Boxes().is_valid_answer, values)

    @staticmethod
    def _are_all(is_valid: Callable[[FloatArray], BoolArray], lists: FloatArray) -> BoolArray:
        flat = lists.reshape(-1, 4)
        is_fine = is_valid(flat) | np.isnan(flat).all(axis=1)
        return np.asarray(is_fine.reshape(len(lists), -1).all(axis=1))


def _boxes(lists: FloatArray) -> list[FloatArray]:
    """(k, 4) boxes of each row."""
    return [row[~np.isnan(row)].reshape(-1, 4) for row in lists]


def n_matched_boxes(truth: FloatArray, values: FloatArray) -> int:
    """Most pairs, one to one, of a true and an answered box with an IoU of at least 0.5.

    Args:
        truth: (n, 4) relative boxes.
        values: (m, 4), in any order.

    Example:
        The second answer is the first once more: it finds no second box.

        >>> box = np.array([[0.1, 0.1, 0.3, 0.3]])
        >>> n_matched_boxes(np.vstack([box, box + 0.5]), np.vstack([box, box]))
        1
    """
    overlaps = [
        Boxes().measures(np.broadcast_to(box, values.shape), values).iou >= MATCHED_IOU
        for box in truth
    ]
    is_match = np.reshape(overlaps, (len(truth), len(values)))
    return int(is_match[linear_sum_assignment(is_match, maximize=True)].sum())


class Sizes(Scorer):
    """Numbers of at least 0, measured by how far off they are."""

    truth_rule = "finite number(s) ≥ 0"
    answer_rule = "finite number(s)"

    def __init__(self, *, least_relative_truth: float = 0.0) -> None:
        self.least_relative_truth = least_relative_truth

    def measures(self, truth: FloatArray, values: FloatArray) -> Measures:
        """Errors, and shares of the truth where it allows them."""
        errors = np.abs(values - truth)
        smallest = truth.min(axis=1)
        has_relative = (smallest > 0) & (smallest >= self.least_relative_truth)
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
            exact=undefined,
        )

    def is_valid_truth(self, truth: FloatArray) -> BoolArray:
        """At least 0."""
        return np.asarray(_is_finite(truth) & np.all(truth >= 0, axis=1))

    def is_valid_answer(self, values: FloatArray) -> BoolArray:
        """A negative answer is wrong, not unreadable."""
        return _is_finite(values)


class WholeNumbers(Sizes):
    """Whole numbers of at least 0: an answer is right or not, beside how far off it is."""

    truth_rule = "whole number(s) ≥ 0"
    answer_rule = "whole number(s)"

    def measures(self, truth: FloatArray, values: FloatArray) -> Measures:
        """Those of sizes, and whether the answer is the truth."""
        exact = np.all(values == truth, axis=1).astype(np.float64)
        return replace(super().measures(truth, values), exact=exact)

    def is_valid_truth(self, truth: FloatArray) -> BoolArray:
        """At least 0 and whole."""
        return np.asarray(super().is_valid_truth(truth) & np.all(truth == np.rint(truth), axis=1))

    def is_valid_answer(self, values: FloatArray) -> BoolArray:
        """As of a truth."""
        return self.is_valid_truth(values)


def _covered(overlap_wh: FloatArray, wh: FloatArray) -> FloatArray:
    """Share of a box that the overlap covers: side by side, as a tiny box's area may round to 0.

    0 for a box without area: nothing of it covers anything.
    """
    share_wh = np.divide(overlap_wh, wh, out=np.zeros_like(wh), where=wh > 0)
    return np.asarray(share_wh[:, 0] * share_wh[:, 1])


def _product(wh: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):  # a box of 1e200 by 1e200 has an infinite area and IoU 0
        return np.asarray(wh[:, 0] * wh[:, 1])


def _is_finite(values: FloatArray) -> BoolArray:
    return np.asarray(np.all(np.isfinite(values), axis=1))


SCORERS: Mapping[Task, Scorer] = MappingProxyType(
    {
        Task.DETECTION: Boxes(),
        Task.TUMOR_LESION: Sizes(),
        # mm or degrees; the paper leaves angles and distances near 0 out of relative errors too
        Task.ANGLE_DISTANCE: Sizes(least_relative_truth=0.1),
        Task.AREA: Sizes(),
        Task.COUNT: WholeNumbers(),
        Task.INSTANCES: BoxLists(),
    }
)
"""The behaviour of this stage for every task."""


def image_diagonal_mm(
    *,
    height_px: npt.ArrayLike,
    width_px: npt.ArrayLike,
    spacing_y_mm: npt.ArrayLike,
    spacing_x_mm: npt.ArrayLike,
) -> FloatArray:
    """Physical length of slices' diagonals, the scale of nMAE: arrays of one shape to that shape.

    Example:
        >>> side_mm = {"spacing_y_mm": 0.5, "spacing_x_mm": 0.5}
        >>> float(image_diagonal_mm(height_px=300, width_px=400, **side_mm))
        250.0
    """
    height_mm = np.multiply(height_px, spacing_y_mm, dtype=np.float64)
    width_mm = np.multiply(width_px, spacing_x_mm, dtype=np.float64)
    return np.asarray(np.hypot(height_mm, width_mm))

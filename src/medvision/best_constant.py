"""The constant answer that a metric likes best: what a model has to beat to have looked at all.

Each function takes (n, values) truths and gives one answer. It minimises (or maximises) the mean of
that metric over these truths, and of no other metric.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from medvision.errors import UsageError

FloatArray = npt.NDArray[np.float64]

MOST_BOXES = 4000
"""Boxes that a search looks at; of more, evenly spaced ones are taken."""

MOST_STARTS = 400
"""Boxes that are tried as the answer before the best of them are moved."""

_REFINED = 4
_STEPS_FRAC = 0.064 / 2.0 ** np.arange(11)
"""Moves of an edge, from a fifteenth of the picture down to less than four decimals show."""

_MOVES = np.array(
    [
        *np.vstack([np.eye(4), -np.eye(4)]),  # one edge
        *([1, 0, 1, 0], [-1, 0, -1, 0], [0, 1, 0, 1], [0, -1, 0, -1]),  # the whole box
        *([-1, 0, 1, 0], [1, 0, -1, 0], [0, -1, 0, 1], [0, 1, 0, -1]),  # wider, higher
        *([-1, -1, 1, 1], [1, 1, -1, -1]),  # larger, smaller
    ]
)


def weighted_median(values: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """The value with half of the weight on either side: it minimises Σ weight · |value − it|.

    Args:
        values: (n,), n at least 1.
        weights: (n,), above 0.

    Example:
        >>> weighted_median([1, 2, 10], [1, 1, 1])
        2.0
        >>> weighted_median([1, 2, 10], [5, 1, 1])
        1.0
    """
    numbers, mass = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    order = np.argsort(numbers, kind="stable")
    below = np.cumsum(mass[order])
    # Where exactly half lies below, every value up to the next is as good: their middle is taken.
    at = int(np.searchsorted(below, below[-1] / 2))
    is_between = at + 1 < len(order) and below[at] == below[-1] / 2
    return float(numbers[order[at : at + 1 + is_between]].mean())


def least_absolute_error(truth: FloatArray) -> tuple[float, ...]:
    """Minimises the mean absolute error: the median of each value."""
    return tuple(np.median(truth, axis=0).tolist())


def least_relative_error(truth: FloatArray) -> tuple[float, ...]:
    """Minimises the mean relative error: the median of each value with weights 1 / truth.

    Truths that have no relative error (0) are left out; without any other it is the median.
    """
    positive = truth[np.all(truth > 0, axis=1)]
    if not len(positive):
        return least_absolute_error(truth)
    return tuple(weighted_median(column, 1 / column) for column in positive.T)


def most_exact(truth: FloatArray) -> tuple[float, ...]:
    """Maximises the share of exact answers: the most frequent truth; of several the least."""
    found, counts = np.unique(truth, axis=0, return_counts=True)
    return tuple(found[np.argmax(counts)].tolist())


def best_box(truth: FloatArray) -> tuple[float, ...]:
    """Maximises the mean intersection over union with boxes x0, y0, x1, y1.

    The mean IoU has many summits. The best few of the boxes themselves (and their mean and median)
    are moved, edge by edge and as a whole, in ever smaller steps for as long as that helps.
    """
    boxes = truth[np.linspace(0, len(truth) - 1, min(len(truth), MOST_BOXES)).astype(int)]
    starts = boxes[np.linspace(0, len(boxes) - 1, min(len(boxes), MOST_STARTS)).astype(int)]
    starts = np.vstack([starts, boxes.mean(axis=0), np.median(boxes, axis=0)])
    order = np.argsort(-_mean_iou(starts, boxes), kind="stable")
    found = starts[order[:_REFINED]]
    scores = _mean_iou(found, boxes)
    # All climb at once, each with a step of its own, which is halved where no move helps it.
    step = np.zeros(len(found), dtype=np.int64)
    while np.any(step < len(_STEPS_FRAC)):
        climbing = np.flatnonzero(step < len(_STEPS_FRAC))
        moves = _STEPS_FRAC[step[climbing], None, None] * _MOVES
        moved = np.clip(found[climbing, None] + moves, 0, 1)
        has_area = np.all(moved[..., 2:] > moved[..., :2], axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            reached = _mean_iou(moved.reshape(-1, 4), boxes).reshape(has_area.shape)
        reached[~has_area] = -np.inf
        best = np.argmax(reached, axis=1)
        reached = reached[np.arange(len(best)), best]
        is_higher = reached > scores[climbing]
        higher = climbing[is_higher]
        found[higher] = moved[is_higher, best[is_higher]]
        scores[higher] = reached[is_higher]
        step[climbing[~is_higher]] += 1
    return tuple(found[np.argmax(scores)].tolist())


def _mean_iou(answers: FloatArray, boxes: FloatArray) -> FloatArray:
    """(answers,) mean IoU of each with (n, 4) boxes."""
    # Edge by edge: products over an axis of length 2 would take ten times as long.
    ax0, ay0, ax1, ay1 = (edge[:, None] for edge in np.ascontiguousarray(answers.T))
    bx0, by0, bx1, by1 = (edge[None] for edge in np.ascontiguousarray(boxes.T))
    shared = np.maximum(np.minimum(ax1, bx1) - np.maximum(ax0, bx0), 0.0)
    shared *= np.maximum(np.minimum(ay1, by1) - np.maximum(ay0, by0), 0.0)
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0)
    union -= shared
    return np.asarray((shared / union).mean(axis=1))


BEST_CONSTANTS: Mapping[str, Callable[[FloatArray], tuple[float, ...]]] = MappingProxyType(
    {
        "iou": best_box,
        "absolute_error": least_absolute_error,
        "relative_error": least_relative_error,
        "exact": most_exact,
    }
)
"""By the score column whose mean the constant is best at."""


def best_constant(column: str, truth: npt.ArrayLike) -> tuple[float, ...]:
    """The answer that is best by a score column, if the same is given to every question.

    Args:
        column: "iou", "absolute_error", "relative_error" or "exact".
        truth: (n, values), n at least 1.

    Raises:
        UsageError: No truth, or no such column.

    Example:
        >>> best_constant("absolute_error", [[10.0], [20.0], [90.0]])
        (20.0,)
        >>> best_constant("relative_error", [[10.0], [20.0], [90.0]])
        (10.0,)
    """
    rows: FloatArray = np.asarray(truth, dtype=np.float64)
    if column not in BEST_CONSTANTS or not rows.size:
        known = ", ".join(BEST_CONSTANTS)
        msg = f"expected truths and one of {known}, found {len(rows)} truths and {column!r}"
        raise UsageError(msg)
    return BEST_CONSTANTS[column](rows)

"""The best constants are the best: no constant of a fine grid or of another optimiser is better."""

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from medvision.best_constant import _MOVES, best_constant
from medvision.errors import UsageError
from medvision.tasks import TASKS, Task

RNG = np.random.default_rng(3)
SIZES = {
    "even": RNG.lognormal(3, 0.8, (60, 2)),
    "odd": RNG.lognormal(2, 1.2, (61, 1)),
    "ties": RNG.integers(1, 6, (40, 1)).astype(float),
    "one": np.array([[4.0, 2.5]]),
    "two": np.array([[4.0], [40.0]]),
}
BOXES = {
    "around a place": np.clip(
        np.array([0.3, 0.4, 0.6, 0.7]) + RNG.normal(0, 0.07, (80, 4)), 0.01, 0.99
    ),
    "left and right": np.vstack(
        [
            np.array([0.1, 0.4, 0.3, 0.6]) + RNG.normal(0, 0.02, (30, 4)),
            np.array([0.7, 0.4, 0.9, 0.6]) + RNG.normal(0, 0.02, (20, 4)),
        ]
    ),
    "small in large": np.vstack([[[0.0, 0.0, 1.0, 1.0]] * 5, [[0.45, 0.45, 0.55, 0.55]] * 6]),
    "one": np.array([[0.2, 0.1, 0.5, 0.9]]),
}


def iou(a, b):
    """By its definition, one pair at a time."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize("truth", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("column", ["absolute_error", "relative_error"])
def test_no_other_number_has_a_smaller_error(truth, column):
    found = best_constant(column, truth)
    weights = 1 / truth if column == "relative_error" else np.ones_like(truth)
    for values, weight, constant in zip(truth.T, weights.T, found, strict=True):
        grid = np.concatenate([values, np.linspace(0, values.max() * 1.1, 4001)])
        errors = (weight * np.abs(grid[:, None] - values)).mean(axis=1)
        assert (weight * np.abs(constant - values)).mean() <= errors.min() + 1e-12


@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
def test_no_other_box_has_a_larger_mean_iou(boxes):
    found = best_constant("iou", boxes)
    mean = np.mean([iou(found, box) for box in boxes])

    def loss(edges):
        x, width, y, height = edges
        box = (x, y, x + (1 - x) * width, y + (1 - y) * height)
        return -np.mean([iou(box, other) for other in boxes])

    other = differential_evolution(loss, [(0, 0.99), (0.01, 1)] * 2, seed=1, maxiter=60, popsize=10)
    assert mean >= -other.fun - 2e-3
    assert mean >= max(np.mean([iou(box, other) for other in boxes]) for box in boxes)


def test_two_boxes_that_share_nothing_are_answered_by_one_of_them_not_by_their_mean():
    assert best_constant("iou", BOXES["left and right"])[2] < 0.4
    assert best_constant("iou", BOXES["one"]) == pytest.approx((0.2, 0.1, 0.5, 0.9))


def test_most_frequent_count_and_of_several_the_least():
    assert best_constant("exact", [[3.0], [1.0], [3.0], [1.0], [2.0]]) == (1.0,)


def test_truths_without_relative_error_are_left_out():
    assert best_constant("relative_error", [[0.0], [0.0], [0.0], [5.0]]) == (5.0,)
    assert best_constant("relative_error", [[0.0], [0.0]]) == (0.0,)


def test_headline_columns_are_such_columns():
    # No constant answers a list of any length.
    assert {record.headline_column for record in TASKS.values() if not record.is_list} <= {
        "iou", "absolute_error", "relative_error", "exact"
    }  # fmt: skip
    assert TASKS[Task.TUMOR_LESION].headline_column == "relative_error"


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(UsageError, match="found 0 truths"):
        best_constant("iou", np.empty((0, 4)))
    with pytest.raises(UsageError, match="'f1'"):
        best_constant("f1", [[0.0, 0.0, 1.0, 1.0]])


def mean_iou(box, boxes):
    return np.mean([iou(box, one) for one in boxes])


def climbed(box, boxes):
    """One box moved alone, in ever smaller steps for as long as that helps."""
    score = mean_iou(box, boxes)
    for step in 0.064 / 2.0 ** np.arange(11):
        while True:
            moved = [np.clip(box + step * move, 0, 1) for move in _MOVES]
            moved = [one for one in moved if one[2] > one[0] and one[3] > one[1]]
            scores = [mean_iou(one, boxes) for one in moved]
            at = int(np.argmax(scores))
            if scores[at] <= score:
                break
            box, score = moved[at], scores[at]
    return score, box


@pytest.mark.parametrize("name", BOXES)
def test_boxes_that_climb_together_get_where_each_gets_alone(name):
    boxes = BOXES[name]
    starts = np.vstack([boxes, boxes.mean(axis=0), np.median(boxes, axis=0)])
    order = np.argsort([-mean_iou(one, boxes) for one in starts], kind="stable")[:4]
    score, box = max((climbed(starts[at], boxes) for at in order), key=lambda one: one[0])
    found = best_constant("iou", boxes)
    assert mean_iou(np.array(found), boxes) == pytest.approx(score, abs=1e-9)
    assert found == pytest.approx(box, abs=1e-3)

"""Lists of boxes: matched as well as any pairing can, and scored by how many are found."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvision.replies import Answer, AnswerStatus
from medvision.scoring import score
from medvision.scoring.errors import InvalidAnswerError, InvalidTruthError
from medvision.scoring.metrics import n_matched_boxes

A, B, C = (0.0, 0.0, 0.2, 0.2), (0.5, 0.5, 0.75, 0.75), (0.5, 0.0, 0.625, 0.25)


def overlap(one, other):
    """IoU by a plain computation."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def most_pairs(truth, stated):
    """The most pairs over all permutations."""
    few, many = sorted((truth, stated), key=len)
    return max(
        sum(overlap(a, b) >= 0.5 for a, b in zip(few, order, strict=False))
        for order in itertools.permutations(many)
    )


def found(truth, stated):
    answer = Answer(status=AnswerStatus.OK, values=tuple(edge for box in stated for edge in box))
    row = score("instances", [edge for box in truth for edge in box], answer)
    return row.precision, row.recall, row.f1


# Edges in sixteenths: boxes overlap often, and an IoU of 0.5 comes out exactly.
EDGES = st.tuples(st.integers(0, 11), st.integers(1, 5)).map(lambda e: (e[0] / 16, sum(e) / 16))
BOX = st.tuples(EDGES, EDGES).map(lambda e: (e[0][0], e[1][0], e[0][1], e[1][1]))


@given(st.lists(BOX, min_size=1, max_size=5), st.lists(BOX, max_size=6))
@settings(max_examples=300, deadline=None)
def test_the_matching_is_the_best_of_all_permutations(truth, stated):
    n_matched = n_matched_boxes(np.reshape(truth, (-1, 4)), np.reshape(stated, (-1, 4)))
    assert n_matched == most_pairs(truth, stated)
    precision, recall, f1 = found(truth, stated)
    assert precision == (n_matched / len(stated) if stated else 0)
    assert recall == n_matched / len(truth)
    assert f1 == pytest.approx(2 * n_matched / (len(truth) + len(stated)))


def test_a_greedy_pairing_would_lose_a_box():
    # The first answer fits both true boxes, and the first of them better; the second fits only it.
    truth = [(0.0, 0.0, 0.4, 0.4), (0.1, 0.0, 0.5, 0.4)]
    stated = [(0.04, 0.0, 0.44, 0.4), (0.0, 0.1, 0.4, 0.5)]
    assert overlap(truth[0], stated[0]) > overlap(truth[1], stated[0]) > 0.5
    assert overlap(truth[0], stated[1]) > 0.5 > overlap(truth[1], stated[1])
    assert found(truth, stated) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param([C, A, B], (1.0, 1.0, 1.0), id="in another order"),
        pytest.param([A, B], (1.0, 2 / 3, 0.8), id="one missed"),
        pytest.param([A, A, A], (1 / 3, 1 / 3, 1 / 3), id="one said three times"),
        pytest.param([A, B, C, A, A, A], (0.5, 1.0, 2 / 3), id="too many"),
        pytest.param([], (0.0, 0.0, 0.0), id="none"),
    ],
)
def test_lists_of_other_lengths_and_orders(stated, expected):
    assert found([A, B, C], stated) == pytest.approx(expected)


def test_an_overlap_of_a_half_is_enough():
    assert found([(0.0, 0.0, 0.2, 0.2)], [(0.0, 0.0, 0.1, 0.2)]) == (1.0, 1.0, 1.0)
    assert found([(0.0, 0.0, 0.2, 0.2)], [(0.0, 0.0, 0.0999, 0.2)]) == (0.0, 0.0, 0.0)


def test_a_truth_without_boxes_and_half_a_box_are_refused():
    with pytest.raises(InvalidTruthError, match="at least one box"):
        found([], [A])
    with pytest.raises(InvalidAnswerError, match="numbers for each box"):
        score("instances", A, Answer(status=AnswerStatus.OK, values=A[:3]))

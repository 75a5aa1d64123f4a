import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import dice, jaccard

from medvision.errors import ItemError, UsageError
from medvision.replies import Answer, AnswerStatus
from medvision.scoring import InvalidAnswerError, InvalidTruthError, UnknownTaskError, score
from medvision.tasks import Task

METRICS = ("iou", "precision", "recall", "f1", "absolute_error", "relative_error", "exact")
VALID_TRUTH = {"detection": (0.1, 0.2, 0.5, 0.6), "tl": (30, 20), "ad": (40,), "area": (250,)}


def ok(*values):
    return Answer(status=AnswerStatus.OK, values=values)


def metrics_of(row):
    return {name: getattr(row, name) for name in METRICS}


def test_detection_by_hand():
    # 40 × 40 against 40 × 40, overlapping in 20 × 20: 400 / 2800
    row = score("detection", (0.0, 0.0, 0.4, 0.4), ok(0.2, 0.2, 0.6, 0.6))
    assert row.iou == pytest.approx(1 / 7)
    assert row.precision == pytest.approx(1 / 4)
    assert row.recall == pytest.approx(1 / 4)
    assert row.f1 == pytest.approx(1 / 4)
    assert (row.absolute_error, row.relative_error, row.absolute_errors) == (None, None, ())


def test_precision_is_of_the_answer_and_recall_of_the_truth():
    row = score("detection", (0.0, 0.0, 0.5, 0.5), ok(0.0, 0.0, 0.5, 1.0))
    assert (row.precision, row.recall) == (0.5, 1.0)


def test_same_box_scores_one():
    row = score("detection", (0.1234, 0.2, 0.5, 0.7), ok(0.1234, 0.2, 0.5, 0.7))
    assert (row.iou, row.precision, row.recall, row.f1) == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("box", [(0.5, 0.0, 0.9, 0.4), (0.1, 0.4, 0.4, 0.6), (0.8, 0.8, 0.9, 0.9)])
def test_boxes_that_only_touch_or_miss_score_zero(box):
    row = score("detection", (0.1, 0.0, 0.5, 0.4), ok(*box))
    assert (row.iou, row.precision, row.recall, row.f1) == (0.0, 0.0, 0.0, 0.0)


def test_axis_lengths_by_hand():
    row = score("tl", (20.0, 10.0), ok(18.0, 13.0))
    assert row.absolute_errors == (2.0, 3.0)
    assert row.absolute_error == 2.5
    assert row.relative_error == pytest.approx((0.1 + 0.3) / 2)
    assert (row.iou, row.precision, row.recall, row.f1) == (None, None, None, None)


def test_axis_lengths_are_compared_in_the_order_given():
    assert score("tl", (20.0, 10.0), ok(10.0, 20.0)).absolute_errors == (10.0, 10.0)


@pytest.mark.parametrize("task", ["ad", "area"])
def test_one_number_by_hand(task):
    row = score(task, 40.0, ok(30.0))
    assert (row.absolute_error, row.relative_error, row.absolute_errors) == (10.0, 0.25, (10.0,))


@pytest.mark.parametrize("truth", [40.0, 40, (40.0,), [40], np.float64(40), np.array([40.0])])
@pytest.mark.parametrize("task", ["ad", Task.AREA])
def test_bare_number_and_list_are_the_same_truth(task, truth):
    assert score(task, truth, ok(30.0)) == score(str(task), (40.0,), ok(30.0))


@pytest.mark.parametrize(("truth", "expected"), [(0.0999, None), (0.1, 1.0), (0.0, None)])
def test_small_angles_and_distances_have_no_relative_error(truth, expected):
    row = score("ad", truth, ok(2 * truth))
    assert row.relative_error == expected
    assert row.absolute_error == pytest.approx(truth)


def test_small_axes_keep_their_relative_error():
    assert score("tl", (0.05, 0.04), ok(0.1, 0.04)).relative_error == pytest.approx(0.5)


def test_truth_of_zero_has_no_relative_error():
    assert score("tl", (5.0, 0.0), ok(5.0, 1.0)).relative_error is None
    assert score("area", 0.0, ok(1.0)).relative_error is None


@pytest.mark.parametrize("status", [s for s in AnswerStatus if s is not AnswerStatus.OK])
@pytest.mark.parametrize("task", list(VALID_TRUTH))
def test_only_ok_is_scored(task, status):
    row = score(task, VALID_TRUTH[task], Answer(status=status))
    assert row.status == status
    assert set(metrics_of(row).values()) == {None}


@pytest.mark.parametrize(
    ("task", "truth"),
    [
        ("detection", (0.1, 0.2, 0.5)),
        ("detection", (0.1, 0.2, 0.5, 0.6, 0.7)),
        ("detection", 0.5),
        ("detection", (0.5, 0.2, 0.1, 0.6)),
        ("detection", (0.1, 0.6, 0.5, 0.2)),
        ("detection", (0.1, 0.2, 0.1, 0.6)),
        ("detection", (0.1, 0.2, math.nan, 0.6)),
        ("detection", (0.1, 0.2, math.inf, math.inf)),
        ("detection", (10, 20, 50, 60)),
        ("detection", (-0.1, 0.2, 0.5, 0.6)),
        ("detection", ((0.1, 0.2, 0.5, 0.6),)),
        ("tl", (30,)),
        ("tl", 30.0),
        ("tl", (30, 20, 10)),
        ("tl", (30, math.nan)),
        ("tl", (-30, 20)),
        ("ad", ()),
        ("ad", (30, 20)),
        ("ad", math.inf),
        ("ad", -1.0),
        ("ad", None),
        ("area", "large"),
        ("area", [[1.0]]),
    ],
)
@pytest.mark.parametrize("status", [AnswerStatus.OK, AnswerStatus.REFUSED])
def test_bad_truth_is_an_error_whatever_was_answered(task, truth, status):
    answer = Answer(status=status, values=VALID_TRUTH[task] if status == "ok" else ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidTruthError, match=f"truth of task {task}: expected .* found"):
            score(task, truth, answer)


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("detection", (0.1, 0.2, 0.5)),
        ("detection", (0.5, 0.2, 0.1, 0.6)),
        ("detection", (0.1, 0.2, math.nan, 0.6)),
        ("tl", (30,)),
        ("ad", ()),
        ("area", (math.inf,)),
    ],
)
def test_ok_answer_that_is_none_is_an_error(task, values):
    with pytest.raises(InvalidAnswerError, match=f"ok answer of task {task}: expected"):
        score(task, VALID_TRUTH[task], ok(*values))


def test_errors_are_value_errors_that_summaries_can_count():
    assert issubclass(InvalidTruthError, ValueError)
    assert issubclass(InvalidTruthError, ItemError)
    assert (InvalidTruthError.reason, InvalidAnswerError.reason) == (
        "invalid_truth",
        "invalid_answer",
    )


def test_unknown_task_lists_the_known_ones():
    with pytest.raises(
        UnknownTaskError, match="detection, tl, ad, area, count, instances, found 'segmentation'"
    ):
        score("segmentation", 1.0, ok(1.0))
    assert issubclass(UnknownTaskError, UsageError)


def test_answer_may_point_into_the_padding_beside_the_image():
    row = score("detection", (0.0, 0.0, 1.0, 0.5), ok(-0.5, -0.5, 0.5, 0.5))
    assert row.precision == pytest.approx(0.25)
    assert row.recall == pytest.approx(0.5)


def test_answer_without_area_scores_zero():
    row = score("detection", (0.0, 0.0, 0.5, 0.5), ok(0.2, 0.2, 0.2, 0.4))
    assert (row.iou, row.precision, row.recall, row.f1) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "precision"),
    [((0.2, 0.2, 0.2 + 1e-15, 0.3), 1.0), ((1e-200, 1e-200, 2e-200, 2e-200), 1.0),
     ((-1e200, -1e200, 1e200, 1e200), 0.0)],
)  # fmt: skip
def test_extreme_boxes_have_every_metric_and_no_warning(values, precision):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = score("detection", (0.0, 0.0, 0.5, 0.5), ok(*values))
    assert row.precision == pytest.approx(precision)
    assert row.iou == pytest.approx(0.0, abs=1e-12)


def test_row_is_plain_json():
    row = score("tl", (20.0, 10.0), ok(18.0, 13.0))
    assert json.loads(json.dumps(row.as_dict())) == {
        "status": "ok",
        "iou": None,
        "precision": None,
        "recall": None,
        "f1": None,
        "absolute_error": 2.5,
        "relative_error": pytest.approx(0.2),
        "exact": None,
        "absolute_errors": [2.0, 3.0],
    }


def random_pixel_box(rng, height_px, width_px):
    x = np.sort(rng.choice(width_px + 1, 2, replace=False))
    y = np.sort(rng.choice(height_px + 1, 2, replace=False))
    return int(x[0]), int(y[0]), int(x[1]), int(y[1])


def painted(box, height_px, width_px):
    mask = np.zeros((height_px, width_px), dtype=bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.parametrize("seed", range(40))
def test_overlap_equals_counted_pixels_and_scipy(seed):
    rng = np.random.default_rng(seed)
    height_px, width_px = 30, 50
    size = np.array([width_px, height_px] * 2)
    truth, answer = (random_pixel_box(rng, height_px, width_px) for _ in range(2))
    row = score("detection", truth / size, ok(*(answer / size)))
    true_mask, answer_mask = (painted(box, height_px, width_px) for box in (truth, answer))
    common = 0
    for y in range(height_px):
        for x in range(width_px):
            common += bool(true_mask[y, x] and answer_mask[y, x])
    assert row.precision == pytest.approx(common / answer_mask.sum())
    assert row.recall == pytest.approx(common / true_mask.sum())
    assert row.iou == pytest.approx(1 - jaccard(true_mask.ravel(), answer_mask.ravel()))
    assert row.f1 == pytest.approx(1 - dice(true_mask.ravel(), answer_mask.ravel()))


sides = st.floats(0.001, 0.5)
corners = st.floats(0, 0.49)
boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), corners, corners, sides, sides)


@given(boxes, boxes)
def test_swapping_truth_and_answer_swaps_precision_and_recall(truth, answer):
    there, back = score("detection", truth, ok(*answer)), score("detection", answer, ok(*truth))
    assert there.iou == pytest.approx(back.iou)
    assert there.precision == pytest.approx(back.recall)
    assert there.recall == pytest.approx(back.precision)


@given(boxes, boxes)
def test_overlap_measures_are_consistent_fractions(truth, answer):
    row = score("detection", truth, ok(*answer))
    assert all(0 <= value <= 1 for value in (row.iou, row.precision, row.recall, row.f1))
    assert row.iou == pytest.approx(row.f1 / (2 - row.f1), abs=1e-9)
    assert row.iou <= min(row.precision, row.recall) + 1e-9


@given(boxes, boxes, st.integers(0, 3))
def test_overlap_survives_flips_and_transposition(truth, answer, turn):
    def turned(box):
        x0, y0, x1, y1 = box
        return [box, (y0, x0, y1, x1), (1 - x1, y0, 1 - x0, y1), (x0, 1 - y1, x1, 1 - y0)][turn]

    before = metrics_of(score("detection", truth, ok(*answer)))
    after = metrics_of(score("detection", turned(truth), ok(*turned(answer))))
    assert after == pytest.approx(before, abs=1e-9)


lengths = st.floats(0.1, 500)


@given(lengths, lengths, lengths, lengths)
def test_axis_errors_equal_a_plain_loop(major, minor, said_major, said_minor):
    row = score("tl", (major, minor), ok(said_major, said_minor))
    absolute, relative = 0.0, 0.0
    for truth, said in ((major, said_major), (minor, said_minor)):
        absolute += abs(said - truth) / 2
        relative += abs(said - truth) / truth / 2
    assert row.absolute_error == pytest.approx(absolute)
    assert row.relative_error == pytest.approx(relative)


@given(lengths, lengths, st.floats(0.5, 20))
def test_relative_error_does_not_change_with_the_unit(truth, said, factor):
    row, scaled = score("area", truth, ok(said)), score("area", truth * factor, ok(said * factor))
    assert scaled.relative_error == pytest.approx(row.relative_error, abs=1e-9)
    assert scaled.absolute_error == pytest.approx(row.absolute_error * factor, abs=1e-9)


def mean_share_covered(low, high):
    """Of [low, high], how much lies between two uniform points on average: ∫ 2x(1 − x) dx."""
    integral = (high**2 - 2 * high**3 / 3) - (low**2 - 2 * low**3 / 3)
    return integral / (high - low)


def test_random_boxes_have_the_recall_that_integration_gives():
    rng = np.random.default_rng(5)
    truth = (0.2, 0.3, 0.6, 0.5)
    drawn = np.sort(rng.uniform(size=(20_000, 2, 2)), axis=1).reshape(-1, 4)
    recalls = [score("detection", truth, ok(*box)).recall for box in drawn]
    expected = mean_share_covered(0.2, 0.6) * mean_share_covered(0.3, 0.5)
    assert np.mean(recalls) == pytest.approx(expected, abs=4 * np.std(recalls) / np.sqrt(20_000))

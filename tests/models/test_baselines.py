"""Baselines state what their definition says, whatever the order of the questions."""

import math
import random

import numpy as np
import pytest

from medvision.errors import UsageError
from medvision.models import ResponseStatus, make_baseline
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import Style
from medvision.tasks import TASKS, Task
from tests import builders


def iou(a, b):
    """Intersection over union of (n, 4) boxes, by its definition."""
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (a, b)]
    return shared / (areas[0] + areas[1] - shared)


def stated_boxes(baseline, samples):
    return np.array([baseline.values(sample, 0) for sample in samples])


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("task", Task)
def test_oracle_writes_the_truth_in_the_form_asked_for(task, style):
    question = builders.question(sample=builders.sample(task), style=style)
    (reply,) = make_baseline("baseline/oracle").replies([question])
    assert reply.status is ResponseStatus.OK
    assert reply.text == ANSWER_FORMATS[task].write(question.sample.truth, style)
    for value in question.sample.truth:
        assert f"{value:.{TASKS[task].decimals}f}" in reply.text


def test_random_box_has_the_iou_of_two_uniform_corners():
    samples = [builders.sample(Task.DETECTION, number=number) for number in range(4000)]
    truth = np.array(samples[0].truth)
    found = iou(stated_boxes(make_baseline("baseline/random-box"), samples), truth)
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(size=(200_000, 2, 2)), axis=2)
    expected = iou(corners.transpose(0, 2, 1).reshape(-1, 4), truth)
    standard_error = expected.std() / math.sqrt(len(samples))
    assert abs(found.mean() - expected.mean()) < 4 * standard_error
    assert abs(found.std() - expected.std()) < 0.02


def test_center_box_is_half_of_each_side():
    values = make_baseline("baseline/center").values(builders.sample(Task.DETECTION), 0)
    assert values == (0.25, 0.25, 0.75, 0.75)


@pytest.mark.parametrize("name", ["baseline/random-box", "baseline/center"])
def test_box_baselines_answer_detection_only(name):
    assert make_baseline(name).tasks == {Task.DETECTION}


def test_constant_answers_every_value_but_no_box():
    baseline = make_baseline("baseline/constant:25")
    assert baseline.values(builders.sample(Task.TUMOR_LESION), 0) == (25.0, 25.0)
    assert baseline.values(builders.sample(Task.AREA), 0) == (25.0,)
    assert baseline.tasks == set(Task) - {Task.DETECTION, Task.INSTANCES}


def test_answers_do_not_depend_on_order_or_company():
    questions = [
        builders.question(sample=builders.sample(Task.DETECTION, number=n)) for n in range(20)
    ]
    shuffled = random.Random(0).sample(questions, len(questions))
    for name in ("baseline/random-box", "baseline/noisy-oracle:0.2"):
        whole = dict(zip(questions, make_baseline(name).replies(questions), strict=True))
        alone = [make_baseline(name).replies([question])[0] for question in shuffled]
        assert [whole[question] for question in shuffled] == alone


def test_repeats_of_random_answers_differ():
    sample = builders.sample(Task.DETECTION)
    baseline = make_baseline("baseline/random-box")
    assert baseline.values(sample, 0) != baseline.values(sample, 1)


def test_noisy_oracle_degrades_monotonically():
    boxes = [builders.sample(Task.DETECTION, number=number) for number in range(300)]
    lengths = [builders.sample(Task.TUMOR_LESION, number=number) for number in range(300)]
    mean_iou, mean_error = [], []
    for sigma in (0, 0.05, 0.1, 0.2, 0.4):
        baseline = make_baseline(f"baseline/noisy-oracle:{sigma}")
        mean_iou.append(iou(stated_boxes(baseline, boxes), np.array(boxes[0].truth)).mean())
        stated = np.array([baseline.values(sample, 0) for sample in lengths])
        mean_error.append(np.abs(stated / lengths[0].truth - 1).mean())
    assert mean_iou == sorted(mean_iou, reverse=True)
    assert mean_error == sorted(mean_error)
    assert mean_iou[0] == pytest.approx(1.0)
    # The mean of |sigma·n| over a normal n is sigma·sqrt(2/pi).
    assert mean_error[2] == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.1)


@pytest.mark.parametrize("sigma", [0.5, 3.0, 50.0])
@pytest.mark.parametrize("truth", [(0.0, 0.0, 1.0, 1.0), (0.9, 0.9, 1.0, 1.0), (0, 0, 0.01, 0.01)])
def test_noisy_box_stays_readable(sigma, truth):
    samples = [
        builders.sample(Task.DETECTION, number=n, truth=tuple(map(float, truth)))
        for n in range(200)
    ]
    boxes = stated_boxes(make_baseline(f"baseline/noisy-oracle:{sigma}"), samples).round(4)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize(("kind", "largest"), [("angle", 90.0), ("vertex_angle", 180.0)])
def test_noisy_angle_stays_in_its_range(kind, largest):
    samples = [
        builders.sample(
            Task.ANGLE_DISTANCE, number=n, unit="deg", metric_kind=kind, truth=(largest - 5,)
        )
        for n in range(100)
    ]
    baseline = make_baseline("baseline/noisy-oracle:1")
    values = [baseline.values(sample, 0)[0] for sample in samples]
    assert min(values) == 0
    assert max(values) == largest


def test_train_mean_is_the_mean_of_samples_alike():
    def lesion(truth, **changes):
        return builders.sample(Task.TUMOR_LESION, split="train", truth=truth, **changes)

    train = [
        lesion((10.0, 4.0)),
        lesion((20.0, 8.0)),
        lesion((90.0, 60.0), plane="coronal"),
        lesion((70.0, 50.0), label="kidney tumour"),
        lesion((40.0, 30.0), dataset="other"),
    ]
    baseline = make_baseline("baseline/train-mean", train)
    asked = [
        ({}, (15.0, 6.0)),
        ({"plane": "coronal"}, (90.0, 60.0)),
        ({"plane": "sagittal"}, (40.0, 24.0)),
        ({"label": "kidney tumour"}, (70.0, 50.0)),
        ({"dataset": "third"}, (70 / 3, 14.0)),
        ({"dataset": "third", "plane": "sagittal"}, (40.0, 25.5)),
        ({"label": "cyst"}, (47.5, 30.5)),
        ({"label": "cyst", "dataset": "third"}, (46.0, 30.4)),
    ]
    for changes, expected in asked:
        sample = builders.sample(Task.TUMOR_LESION, **changes)
        assert baseline.values(sample, 0) == pytest.approx(expected)


def test_train_mean_keeps_metrics_apart():
    def measure(key, value):
        return builders.sample(Task.ANGLE_DISTANCE, split="train", metric_key=key, truth=(value,))

    baseline = make_baseline("baseline/train-mean", [measure("a", 10.0), measure("b", 30.0)])
    assert baseline.values(measure("a", 1.0), 0) == (10.0,)
    assert baseline.values(measure("c", 1.0), 0) == (20.0,)


def test_train_mean_box_is_the_mean_box():
    train = [
        builders.sample(Task.DETECTION, split="train", truth=(0.1, 0.2, 0.3, 0.4)),
        builders.sample(Task.DETECTION, split="train", truth=(0.3, 0.4, 0.5, 0.8)),
    ]
    values = make_baseline("baseline/train-mean", train).values(builders.sample(Task.DETECTION), 0)
    assert values == pytest.approx((0.2, 0.3, 0.4, 0.6))


@pytest.mark.parametrize(
    ("name", "expected"), [("train-mean", 40.0), ("train-median", 20.0), ("train-best", 10.0)]
)
def test_trained_baselines_state_their_statistic(name, expected):
    """Weights 1/truth draw the best constant of a relative error to the small truths."""
    train = [
        builders.sample(Task.AREA, number=number, split="train", truth=(truth,))
        for number, truth in enumerate((10.0, 20.0, 90.0))
    ]
    assert make_baseline(f"baseline/{name}", train).values(builders.sample(Task.AREA), 0) == (
        expected,
    )


@pytest.mark.parametrize("name", ["train-mean", "train-median"])
def test_no_constant_scores_better_on_the_training_samples_than_train_best(name):
    rng = np.random.default_rng(5)
    x0y0 = rng.uniform(0, 0.6, (50, 2))
    truths = np.hstack([x0y0, x0y0 + rng.uniform(0.05, 0.3, (50, 2))])
    train = [
        builders.sample(Task.DETECTION, number=number, split="train", truth=tuple(truth))
        for number, truth in enumerate(truths.tolist())
    ]
    best, other = (
        iou(stated_boxes(make_baseline(f"baseline/{one}", train), train), truths).mean()
        for one in ("train-best", name)
    )
    assert best > other


def test_train_mean_refuses_test_samples():
    with pytest.raises(UsageError, match="expected samples of split train, found test"):
        make_baseline("baseline/train-mean", [builders.sample(Task.AREA)])


def test_train_mean_says_what_is_missing():
    baseline = make_baseline("baseline/train-mean")
    with pytest.raises(UsageError, match="training samples of task area in mm2, found none"):
        baseline.values(builders.sample(Task.AREA), 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("baseline/median", "expected one of baseline/random-box, .*found 'baseline/median'"),
        ("baseline/constant", "expected a number after a colon"),
        ("baseline/constant:many", "found 'many'"),
        ("baseline/constant:-1", "at least 0, found -1"),
        ("baseline/constant:nan", "finite number"),
        ("baseline/noisy-oracle:-0.1", "sigma of at least 0"),
        ("baseline/noisy-oracle:inf", "finite sigma"),
        ("baseline/oracle:3", "expected no number after the name, found '3'"),
        ("baseline/train-mean:1", "expected no number"),
        ("baseline/train-best:1", "expected no number"),
    ],
)
def test_bad_name_says_what_was_expected(name, message):
    with pytest.raises(UsageError, match=message):
        make_baseline(name)

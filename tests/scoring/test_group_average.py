import numpy as np
import pytest

from medvision.scoring import aggregate, group_average
from medvision.scoring.bootstrap import subject_counts, subject_draws

TRUTH = [0.0, 0.0, 0.5, 0.5]


def boxes(label, n, iou, *, n_subjects=5, n_unparsed=0):
    """`n` detection samples of a label, all parsed ones with the same IoU."""
    return [
        (
            {
                "task": "detection",
                "truth": TRUTH,
                "label": label,
                "subject_id": f"p{at % n_subjects}",
            },
            {} if at < n_unparsed else {"values": [0.0, 0.0, 0.5 * iou, 0.5]},
        )
        for at in range(n)
    ]


def one_row(scores, *args, **kwargs):
    rows = group_average(scores, *args, n_resamples=0, **kwargs).to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_labels_weigh_the_same_however_many_samples_they_have(make_scores):
    row = one_row(make_scores([*boxes("liver", 200, 0.5), *boxes("spleen", 50, 1.0)]))
    assert (row["n_labels"], row["n"]) == (2, 250)
    assert row["iou_mean_parsed"] == pytest.approx(0.75)
    assert row["iou_at_0.75_frac"] == pytest.approx(0.5)


def test_labels_need_the_minimum_of_samples_parsed_or_not(make_scores):
    pairs = [*boxes("liver", 50, 0.5, n_unparsed=10), *boxes("spleen", 49, 1.0)]
    row = one_row(make_scores(pairs))
    assert (row["n_labels"], row["n"], row["n_parsed"]) == (1, 50, 40)
    assert row["iou_mean_parsed"] == pytest.approx(0.5)
    assert row["iou_mean_zero_filled"] == pytest.approx(0.4)
    assert one_row(make_scores(pairs), min_samples=49)["n_labels"] == 2


def test_minimum_is_per_group(make_scores):
    pairs = [
        ({**sample, "plane": "axial" if at % 3 else "coronal"}, answer)
        for at, (sample, answer) in enumerate(boxes("liver", 90, 0.5))
    ]
    rows = group_average(make_scores(pairs), ["plane"], n_resamples=0).to_pylist()
    assert [(row["plane"], row["n"]) for row in rows] == [("axial", 60)]


@pytest.mark.parametrize("label", ["crown", "never heard of", "tumor", "edema"])
def test_others_and_miscellaneous_are_left_out(make_scores, label):
    pairs = [*boxes("liver", 50, 0.5), *boxes(label, 50, 1.0)]
    assert one_row(make_scores(pairs))["iou_mean_parsed"] == pytest.approx(0.5)


def test_healthy_and_lesions_are_averaged_apart(make_scores):
    pairs = [*boxes("liver", 50, 0.5), *boxes("liver tumor", 50, 1.0)]
    rows = group_average(make_scores(pairs), n_resamples=0).to_pylist()
    assert [(row["is_tumor_lesion"], row["iou_mean_parsed"]) for row in rows] == [
        (False, pytest.approx(0.5)),
        (True, pytest.approx(1.0)),
    ]


def test_measurements_without_a_label_are_left_out(make_scores):
    pairs = [({"task": "ad", "truth": [10.0]}, {"values": [9.0]})] * 60
    table = group_average(make_scores(pairs))
    assert table.num_rows == 0
    assert "mre_mean_parsed_low" in table.column_names


def test_label_with_nothing_parsed_is_left_out_of_parsed_means_only(make_scores):
    row = one_row(make_scores([*boxes("liver", 50, 0.5), *boxes("spleen", 50, 1.0, n_unparsed=50)]))
    assert row["n_labels"] == 2
    assert row["iou_mean_parsed"] == pytest.approx(0.5)
    assert row["iou_mean_zero_filled"] == pytest.approx(0.25)


def test_average_equals_the_mean_of_the_label_rows(mixed_pairs, make_scores):
    scores = make_scores(mixed_pairs)
    of_label = aggregate(scores, ["anatomy_group", "label"], n_resamples=0).to_pylist()
    excluded = ("Others", "Miscellaneous Tumor/Lesion", None)
    found = group_average(scores, ["anatomy_group"], min_samples=15, n_resamples=0).to_pylist()
    assert len(found) > 5
    for row in found:
        labels = [
            one
            for one in of_label
            if one["anatomy_group"] == row["anatomy_group"] not in excluded
            and (one["task"], one["n"] >= 15) == (row["task"], True)
        ]
        assert row["n_labels"] == len(labels)
        assert row["n"] == sum(one["n"] for one in labels)
        for name in ("success_rate", "iou_mean_zero_filled", "mre_median_parsed"):
            values = [one[name] for one in labels if one[name] is not None]
            assert row[name] == (pytest.approx(np.mean(values)) if values else None)


def test_interval_equals_a_loop_that_repeats_subjects(make_scores):
    rng = np.random.default_rng(2)
    pairs = []
    for label, n in (("liver", 60), ("spleen", 80)):
        for _ in range(n):
            pairs += boxes(label, 1, float(rng.uniform(0.1, 1)), n_subjects=1)
            pairs[-1][0]["subject_id"] = f"p{rng.integers(9)}"
    scores = make_scores(pairs)
    rows = scores.to_pylist()
    subjects = sorted({row["subject_id"] for row in rows})
    means = []
    for counts in subject_counts(subject_draws(len(subjects), range(50), seed=1), len(subjects)):
        times = dict(zip(subjects, counts.astype(int), strict=True))
        of_label = []
        for label in ("liver", "spleen"):
            drawn = []
            for row in rows:
                if row["label"] == label:
                    drawn += [row["iou"]] * times[row["subject_id"]]
            of_label.append(np.mean(drawn))
        means.append(np.mean(of_label))
    row = group_average(scores, seed=1, n_resamples=50).to_pylist()[0]
    ends = (row["iou_mean_parsed_low"], row["iou_mean_parsed_high"])
    assert ends == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))


def test_errors_withhold_the_average(make_scores):
    pairs = [*boxes("liver", 50, 0.5)]
    pairs[0] = (pairs[0][0], {"response": "error"})
    row = one_row(make_scores(pairs))
    assert (row["n"], row["n_error"], row["iou_mean_parsed"]) == (50, 1, None)
    assert one_row(make_scores(pairs), max_error_rate=0.1)["iou_mean_parsed"] == pytest.approx(0.5)


def test_averaging_by_label_is_the_label_itself(make_scores):
    row = one_row(make_scores(boxes("liver", 50, 0.5)), ["label"])
    assert (row["label"], row["n_labels"]) == ("liver", 1)

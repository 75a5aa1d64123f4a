import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from medvision.scoring import (
    COUNT_COLUMNS,
    GROUPINGS,
    MEDIAN_METRICS,
    RATIO_METRICS,
    ScoreInputError,
    aggregate,
)
from medvision.scoring.bootstrap import subject_counts, subject_draws

METRIC_NAMES = [metric.name for metric in RATIO_METRICS]
AD = {"task": "ad", "truth": [10.0]}
BOX = {"task": "detection", "truth": [0.0, 0.0, 0.5, 0.5]}


def one_row(scores, **kwargs):
    rows = aggregate(scores, n_resamples=0, **kwargs).to_pylist()
    assert len(rows) == 1
    return rows[0]


def boxes_with_iou(*ious):
    """Detection samples whose answers have exactly these IoUs: a narrower box inside the truth."""
    return [(BOX, {"values": [0.0, 0.0, 0.5 * iou, 0.5]}) for iou in ious]


def lengths_with_error(*errors):
    return [(AD, {"values": [10.0 + 10.0 * error]}) for error in errors]


def mean(values):
    return sum(values) / len(values) if values else None


def naive_metrics(rows):
    """Every metric of one group by plain loops, from what the definitions say."""
    found = dict.fromkeys([*METRIC_NAMES, *MEDIAN_METRICS])
    answered = [row for row in rows if row["status"] != "error"]
    parsed = [row for row in answered if row["status"] == "ok"]
    recovered = [row for row in answered if row["recovered_status"] == "ok"]
    found["success_rate"] = len(parsed) / len(answered)
    found["success_rate_recovered"] = len(recovered) / len(answered)
    if rows[0]["task"] == "detection":
        for name in ("iou", "precision", "recall", "f1"):
            found[f"{name}_mean_parsed"] = mean([row[name] for row in parsed])
            found[f"{name}_mean_zero_filled"] = mean([row[name] or 0.0 for row in answered])
        found["iou_mean_parsed_recovered"] = mean([row["iou_recovered"] for row in recovered])
        found["iou_mean_zero_filled_recovered"] = mean(
            [row["iou_recovered"] or 0.0 for row in answered]
        )
        for name in METRIC_NAMES:
            if name.startswith("iou_at_"):
                limit = float(name.split("_")[2])
                n_reached = sum(1 for row in parsed if row["iou"] >= limit)
                found[name] = n_reached / len(answered)
        steps = [found[f"iou_at_{limit / 100:g}_frac"] for limit in range(50, 100, 5)]
        found["iou_at_0.5_to_0.95_mean_frac"] = mean(steps)
        return found
    if rows[0]["task"] == "instances":
        for name in ("precision", "recall", "f1"):
            found[f"{name}_mean_parsed"] = mean([row[name] for row in parsed])
            found[f"{name}_mean_zero_filled"] = mean([row[name] or 0.0 for row in answered])
        return found
    if rows[0]["task"] == "count":
        right = [row for row in parsed if row["values"] == row["truth"]]
        found["exact_frac"] = len(right) / len(answered)
    absolute = [row["absolute_error"] for row in parsed]
    relative = [row["relative_error"] for row in parsed if row["relative_error"] is not None]
    found["mae_mean_parsed"], found["mre_mean_parsed"] = mean(absolute), mean(relative)
    found["mae_median_parsed"] = float(np.median(absolute)) if absolute else None
    found["mre_median_parsed"] = float(np.median(relative)) if relative else None
    found["nmae_mean_parsed"] = mean(
        [row["nmae_frac"] for row in parsed if row["nmae_frac"] is not None]
    )
    found["mae_mean_parsed_recovered"] = mean(
        [row["absolute_error_recovered"] for row in recovered]
    )
    found["mre_mean_parsed_recovered"] = mean(
        [
            row["relative_error_recovered"]
            for row in recovered
            if row["relative_error_recovered"] is not None
        ]
    )
    in_relative = [row for row in answered if row["task"] != "ad" or row["truth"][0] >= 0.1]
    for name in METRIC_NAMES:
        if name.startswith("mre_below_") and in_relative:
            limit = float(name.split("_")[2])
            n_below = sum(1 for e in relative if e < limit)
            found[name] = n_below / len(in_relative)
    if in_relative:
        found["mre_unbounded_frac"] = len(relative) / len(in_relative)
    return found


@pytest.mark.parametrize("by", [(), *GROUPINGS.values(), ("plane", "label", "dataset")])
def test_every_metric_equals_a_plain_loop(mixed_pairs, make_scores, by):
    scores = make_scores(mixed_pairs)
    groups = {}
    for row in scores.to_pylist():
        groups.setdefault(tuple(row[name] for name in (*by, "task", "unit")), []).append(row)
    table = aggregate(scores, by, n_resamples=0)
    assert table.num_rows == len(groups)
    for found in table.to_pylist():
        rows = groups[tuple(found[name] for name in (*by, "task", "unit"))]
        expected = naive_metrics(rows)
        assert {name: found[name] for name in expected} == pytest.approx(expected)
        statuses = [row["status"] for row in rows]
        assert found["n"] == len(rows)
        assert found["n_parsed"] == statuses.count("ok")
        assert found["n_refused"] == statuses.count("refused")
        assert found["n_truncated"] == statuses.count("truncated")
        assert found["n_unreadable"] == statuses.count("no_number")
        assert found["n_subjects"] == len({(r["dataset"], r["subject_id"]) for r in rows})


def test_columns_are_keys_counts_metrics_with_intervals(mixed_pairs, make_scores):
    table = aggregate(make_scores(mixed_pairs), ["plane"], n_resamples=3)
    with_ends = [f"{name}{end}" for name in METRIC_NAMES for end in ("", "_low", "_high")]
    assert table.column_names == [
        "plane", "task", "unit", *COUNT_COLUMNS, *with_ends, *MEDIAN_METRICS,
    ]  # fmt: skip
    assert aggregate(make_scores([]), ["plane"]).schema.equals(table.schema)


def test_rows_are_sorted_by_their_keys(mixed_pairs, make_scores):
    table = aggregate(make_scores(mixed_pairs), ["size_bin", "plane"], n_resamples=0)
    keys = [tuple(row.values()) for row in table.select(["size_bin", "plane"]).to_pylist()]
    assert keys == sorted(keys, key=lambda key: (key[0] is None, key[0] or "", key[1]))


def test_iou_on_a_threshold_reaches_it(make_scores):
    row = one_row(make_scores(boxes_with_iou(0.5, 0.25, 0.75, 0.1)))
    assert row["iou_at_0.5_frac"] == 2 / 4
    assert row["iou_at_0.25_frac"] == 3 / 4
    assert row["iou_at_0.75_frac"] == 1 / 4
    assert row["iou_at_0.1_frac"] == 1.0
    assert row["iou_at_0.8_frac"] == 0.0


def test_iou_just_under_a_threshold_does_not_reach_it(make_scores):
    row = one_row(make_scores(boxes_with_iou(0.4999, 0.5001)))
    assert row["iou_at_0.5_frac"] == 1 / 2


def test_rounding_of_decimal_coordinates_does_not_miss_a_threshold(make_scores):
    sample = {"task": "detection", "truth": [0.1, 0.1, 0.5, 0.5]}
    scores = make_scores([(sample, {"values": [0.1, 0.1, 0.5, 0.3]})])
    assert scores["iou"][0].as_py() < 0.5  # half by hand, 0.49999999999999994 in floating point
    assert one_row(scores)["iou_at_0.5_frac"] == 1.0


def test_relative_error_on_a_threshold_is_not_below_it(make_scores):
    row = one_row(make_scores(lengths_with_error(0.1, 0.0999, 0.5, 1.0)))
    assert row["mre_below_0.1_frac"] == 1 / 4
    assert row["mre_below_0.2_frac"] == 2 / 4
    assert row["mre_below_0.5_frac"] == 2 / 4
    assert row["mre_below_1.0_frac"] == 3 / 4


def test_rounding_does_not_pass_a_threshold(make_scores):
    scores = make_scores([({**AD, "truth": [1.0]}, {"values": [0.9]})])
    assert scores["relative_error"][0].as_py() < 0.1  # 0.09999999999999998
    assert one_row(scores)["mre_below_0.1_frac"] == 0.0


def test_large_errors_are_below_no_threshold(make_scores):
    row = one_row(make_scores(lengths_with_error(0.05, 9.0, 99.0)))
    assert row["mre_below_0.1_frac"] == pytest.approx(1 / 3)
    assert row["mre_below_1.0_frac"] == pytest.approx(1 / 3)
    assert row["mre_mean_parsed"] == pytest.approx((0.05 + 9 + 99) / 3)
    assert row["mre_median_parsed"] == pytest.approx(9.0)


def test_unparsed_box_counts_zero_or_is_left_out_as_the_name_says(make_scores):
    row = one_row(make_scores([*boxes_with_iou(0.5, 1.0), (BOX, {}), (BOX, {"status": "empty"})]))
    assert row["success_rate"] == 0.5
    assert row["iou_mean_parsed"] == 0.75
    assert row["iou_mean_zero_filled"] == 0.375
    assert row["precision_mean_zero_filled"] == 0.5
    assert row["iou_at_0.5_frac"] == 0.5
    assert row["mae_mean_parsed"] is None
    assert row["mre_below_1.0_frac"] is None


def test_unparsed_length_is_left_out_of_means_and_below_no_threshold(make_scores):
    row = one_row(make_scores([*lengths_with_error(0.05, 0.25), (AD, {}), (AD, {})]))
    assert row["mae_mean_parsed"] == pytest.approx(1.5)
    assert row["mre_mean_parsed"] == pytest.approx(0.15)
    assert row["mre_below_0.1_frac"] == 1 / 4
    assert row["mre_below_1.0_frac"] == 2 / 4
    assert row["iou_mean_zero_filled"] is None
    assert row["iou_at_0.5_frac"] is None


def test_small_truths_count_in_absolute_but_not_in_relative_metrics(make_scores):
    small = {**AD, "truth": [0.05]}
    row = one_row(
        make_scores([*lengths_with_error(0.05, 0.5), (small, {"values": [1.05]}), (small, {})])
    )
    assert row["success_rate"] == 3 / 4
    assert row["mae_mean_parsed"] == pytest.approx((0.5 + 5 + 1) / 3)
    assert row["mre_mean_parsed"] == pytest.approx(0.275)
    assert row["mre_below_0.1_frac"] == 1 / 2


def test_nothing_parsed_leaves_means_null_and_rates_zero(make_scores):
    row = one_row(make_scores([(BOX, {}), (BOX, {"status": "refused"})]))
    assert (row["success_rate"], row["iou_mean_zero_filled"], row["iou_at_0.1_frac"]) == (0, 0, 0)
    assert row["iou_mean_parsed"] is None


def test_errors_withhold_every_metric_but_no_count(make_scores):
    scores = make_scores([*boxes_with_iou(0.5, 1.0), (BOX, {}), (BOX, {"response": "error"})])
    row = one_row(scores)
    assert (row["n"], row["n_parsed"], row["n_unreadable"], row["n_error"]) == (4, 2, 1, 1)
    assert {row[name] for name in [*METRIC_NAMES, *MEDIAN_METRICS]} == {None}


@pytest.mark.parametrize(
    ("max_error_rate", "withheld"), [(0.24, True), (0.25, False), (1.0, False)]
)
def test_tolerated_errors_are_in_no_denominator(make_scores, max_error_rate, withheld):
    scores = make_scores([*boxes_with_iou(0.5, 1.0), (BOX, {}), (BOX, {"response": "error"})])
    row = one_row(scores, max_error_rate=max_error_rate)
    metrics = (row["success_rate"], row["iou_mean_zero_filled"], row["iou_at_0.5_frac"])
    assert metrics == ((None,) * 3 if withheld else pytest.approx((2 / 3, 0.5, 2 / 3)))


def test_only_errors_have_no_metric_even_if_tolerated(make_scores):
    row = one_row(make_scores([(AD, {"response": "error"})] * 2), max_error_rate=1.0)
    assert (row["n"], row["n_error"], row["success_rate"]) == (2, 2, None)


def test_errors_withhold_only_their_own_group(make_scores):
    scores = make_scores(
        [({**AD, "plane": "axial"}, {"response": "error"}), ({**AD, "plane": "native"}, {})]
    )
    rows = aggregate(scores, ["plane"], n_resamples=0).to_pylist()
    assert [row["success_rate"] for row in rows] == [None, 0.0]


def test_recovered_answers_never_enter_the_strict_metrics(make_scores):
    scores = make_scores(
        [*boxes_with_iou(1.0), (BOX, {"status": "no_number", "recovered": [0.0, 0.0, 0.25, 0.5]})]
    )
    row = one_row(scores)
    assert (row["n_parsed"], row["n_recovered"]) == (1, 2)
    assert (row["success_rate"], row["success_rate_recovered"]) == (0.5, 1.0)
    assert (row["iou_mean_parsed"], row["iou_mean_parsed_recovered"]) == (1.0, 0.75)
    assert (row["iou_mean_zero_filled"], row["iou_mean_zero_filled_recovered"]) == (0.5, 0.75)


def test_millimetres_and_degrees_are_never_averaged_together(make_scores):
    pairs = lengths_with_error(0.1)
    pairs += [({**AD, "unit": "deg", "metric_kind": "angle"}, {"values": [17.0]})]
    table = aggregate(make_scores(pairs), (), n_resamples=0)
    assert table.select(["task", "unit", "mae_mean_parsed"]).to_pylist() == [
        {"task": "ad", "unit": "deg", "mae_mean_parsed": 7.0},
        {"task": "ad", "unit": "mm", "mae_mean_parsed": pytest.approx(1.0)},
    ]
    assert aggregate(make_scores(pairs), ["unit", "task"], n_resamples=0).num_rows == 2


def test_null_is_a_group_of_its_own(make_scores):
    scores = make_scores([(AD, {"values": [10.0]}), *boxes_with_iou(1.0)])
    rows = aggregate(scores, ["is_tumor_lesion"], n_resamples=0).to_pylist()
    assert [(row["is_tumor_lesion"], row["task"]) for row in rows] == [
        (False, "detection"),
        (None, "ad"),
    ]


def test_added_columns_can_be_grouped_by(make_scores):
    scores = make_scores(boxes_with_iou(1.0, 0.5))
    scores = scores.append_column("model", pa.array(["b", "a"]))
    rows = aggregate(scores, ["model"], n_resamples=0).to_pylist()
    assert [(row["model"], row["iou_mean_parsed"]) for row in rows] == [("a", 0.5), ("b", 1.0)]


def test_unknown_column_is_named(make_scores):
    with pytest.raises(ScoreInputError, match=r"scores: expected the columns \['model'\] too"):
        aggregate(make_scores([]), ["model"])


def test_order_of_rows_does_not_matter(mixed_pairs, make_scores):
    scores = make_scores(mixed_pairs)
    shuffled = scores.take(pa.array(np.random.default_rng(5).permutation(scores.num_rows)))
    by = ["anatomy_group", "plane"]
    expected, found = (
        aggregate(table, by, n_resamples=50).to_pylist() for table in (scores, shuffled)
    )
    assert len(expected) == len(found)
    for one, other in zip(expected, found, strict=True):
        assert other == pytest.approx(one)


def test_interval_equals_a_loop_that_repeats_subjects(mixed_pairs, make_scores):
    scores = make_scores(mixed_pairs)
    rows = [row for row in scores.to_pylist() if row["task"] == "detection"]
    of_subject = {}
    for row in rows:
        of_subject.setdefault((row["dataset"], row["subject_id"]), []).append(row)
    subjects = sorted(of_subject)
    resampled = []
    draws = subject_draws(len(subjects), range(40), seed=11)
    for counts in subject_counts(draws, len(subjects)).astype(int):
        drawn = []
        for subject, times in zip(subjects, counts, strict=True):
            drawn.extend(of_subject[subject] * int(times))
        resampled.append(naive_metrics(drawn))
    found = next(
        row
        for row in aggregate(scores, (), seed=11, n_resamples=40).to_pylist()
        if row["task"] == "detection"
    )
    for name in METRIC_NAMES:
        values = [metrics[name] for metrics in resampled if metrics[name] is not None]
        ends = tuple(np.percentile(values, [2.5, 97.5])) if values else (None, None)
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(ends), name


def test_same_rows_have_the_same_interval_in_every_table(mixed_pairs, make_scores):
    scores = make_scores(mixed_pairs)
    all_axial = aggregate(scores, ["plane"]).filter(pc.field("plane") == "axial")
    only_axial = aggregate(scores.filter(pc.field("plane") == "axial"), ["plane"])
    assert only_axial.equals(all_axial)


def test_seed_decides_the_interval_and_nothing_else(mixed_pairs, make_scores):
    scores = make_scores(mixed_pairs)
    first, again, other = (aggregate(scores, n_resamples=60, seed=seed) for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first["iou_mean_parsed_low"].equals(other["iou_mean_parsed_low"])
    assert first.select(METRIC_NAMES).equals(other.select(METRIC_NAMES))


def test_interval_holds_the_value_and_narrows_with_more_subjects(make_scores):
    rng = np.random.default_rng(6)

    def width(n_subjects):
        ious = rng.uniform(0.1, 1, n_subjects * 3)
        pairs = [
            ({**sample, "subject_id": f"p{at // 3}"}, answer)
            for at, (sample, answer) in enumerate(boxes_with_iou(*ious))
        ]
        row = aggregate(make_scores(pairs)).to_pylist()[0]
        low, high = row["iou_mean_parsed_low"], row["iou_mean_parsed_high"]
        assert low < row["iou_mean_parsed"] < high
        return high - low

    assert width(20) / width(320) == pytest.approx(4, rel=0.35)


def test_subjects_of_two_datasets_with_one_id_are_two(make_scores):
    pairs = boxes_with_iou(0.5, 1.0)
    pairs = [({**sample, "dataset": f"d{at}"}, answer) for at, (sample, answer) in enumerate(pairs)]
    row = aggregate(make_scores(pairs)).to_pylist()[0]
    assert row["n_subjects"] == 2
    assert (row["iou_mean_parsed_low"], row["iou_mean_parsed_high"]) == (0.5, 1.0)


def test_one_subject_has_no_interval(make_scores):
    row = aggregate(make_scores(boxes_with_iou(0.5, 1.0))).to_pylist()[0]
    assert row["iou_mean_parsed"] == 0.75
    assert (row["iou_mean_parsed_low"], row["iou_mean_parsed_high"]) == (None, None)


def test_tolerated_errors_are_not_counted_as_not_below(make_scores):
    scores = make_scores([*lengths_with_error(0.05, 0.25), (AD, {"response": "error"})])
    row = one_row(scores, max_error_rate=0.5)
    assert (row["mre_below_0.1_frac"], row["mre_below_1.0_frac"]) == (0.5, 1.0)
    assert row["mae_mean_parsed"] == pytest.approx(1.5)

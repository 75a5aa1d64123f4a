import numpy as np
import pyarrow as pa
import pytest

from medvision.scoring import ScoreInputError, aggregate, group_averages
from medvision.scoring.bootstrap import subject_counts, subject_draws

TRUTH = [0.0, 0.0, 0.5, 0.5]

PUBLISHED_GROUPS = [
    ("metastatic lymph node", "MR", 63, 6.2492, 0.28275),
    ("non-enhancing brain tumor", "MR", 151, 6.0207, 0.19547),
    ("resection cavity of brain", "MR", 166, 7.8159, 0.20494),
    ("kidney tumor", "CT", 1025, 11.3420, 0.27753),
    ("liver tumor", "CT", 256, 16.3753, 0.33126),
    ("gross tumor volume of brain", "MR", 198, 6.1891, 0.22318),
    ("enhancing brain tumor", "MR", 97, 5.2125, 0.13133),
    ("tumor", "CT", 52, 16.2534, 0.25975),
]
"""Label, modality, samples, mean error in mm and relative, of MedVision-V0-7B on axial slices; the
last is "miscellaneous". Published from them: 10.5 mm and 26.0 %."""

BOTH_OF_EIGHT = (("10.46", "25.9"), ("9.43", "23.8"))
"""Weighted and unweighted average of all eight, in mm and per cent."""


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
    rows = group_averages(scores, *args, n_resamples=0, **kwargs).to_pylist()
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize(
    ("miscellaneous_in", "n", "weighted", "unweighted"),
    [((), 1956, ("10.30", "25.9"), ("8.46", "23.5")), (("tl",), 2008, *BOTH_OF_EIGHT)],
    ids=["seven groups", "with the miscellaneous"],
)
def test_published_average_is_weighted_by_samples(
    make_scores, miscellaneous_in, n, weighted, unweighted
):
    pairs = []
    for label, modality, n_samples, mae_mm, mre in PUBLISHED_GROUPS:
        truth_mm = mae_mm / mre
        sample = {"task": "tl", "label": label, "modality": modality, "truth": [truth_mm] * 2}
        pairs += [(sample, {"values": [truth_mm + mae_mm] * 2})] * n_samples
    row = one_row(make_scores(pairs), miscellaneous_in=miscellaneous_in)
    used = PUBLISHED_GROUPS if miscellaneous_in else PUBLISHED_GROUPS[:-1]
    assert (row["n_groups"], row["n"]) == (len(used), n)

    def printed(ending):
        mae_mm, mre = (row[f"{name}_mean_parsed{ending}"] for name in ("mae", "mre"))
        return f"{mae_mm:.2f}", f"{100 * mre:.1f}"

    assert printed("_sample_weighted") == weighted
    assert printed("_group_mean") == unweighted
    maes_mm, ns = np.array([[one[3], one[2]] for one in used]).T
    assert row["mae_mean_parsed_sample_weighted"] == pytest.approx(maes_mm @ ns / ns.sum())
    assert row["mae_mean_parsed_group_mean"] == pytest.approx(maes_mm.mean())


def test_groups_weigh_by_their_samples_or_all_the_same(make_scores):
    row = one_row(make_scores([*boxes("liver", 200, 0.5), *boxes("spleen", 50, 1.0)]))
    assert (row["n_groups"], row["n"]) == (2, 250)
    assert row["iou_mean_parsed_group_mean"] == pytest.approx(0.75)
    assert row["iou_mean_parsed_sample_weighted"] == pytest.approx(0.6)
    assert row["iou_at_0.75_frac_group_mean"] == pytest.approx(0.5)
    assert row["iou_at_0.75_frac_sample_weighted"] == pytest.approx(0.2)


def test_a_group_weighs_by_samples_read_or_not(make_scores):
    pairs = [*boxes("liver", 150, 0.5, n_unparsed=140), *boxes("spleen", 50, 1.0)]
    row = one_row(make_scores(pairs))
    assert row["iou_mean_parsed_sample_weighted"] == pytest.approx((150 * 0.5 + 50) / 200)


def test_groups_are_regions_on_one_modality_and_plane(make_scores):
    pairs = [*boxes("left kidney", 60, 0.5), *boxes("right kidney", 60, 1.0)]
    pairs = [
        ({**sample, "modality": "MRI" if at % 2 else "CT"}, answer)
        for at, (sample, answer) in enumerate(pairs)
    ]
    row = one_row(make_scores(pairs))
    assert (row["n_groups"], row["n"]) == (2, 120)
    lesions = [({**sample, "label": "liver cancer"}, answer) for sample, answer in pairs]
    lesions += [({**sample, "label": "liver tumour"}, answer) for sample, answer in pairs]
    assert one_row(make_scores(lesions))["n_groups"] == 2


def test_groups_need_the_minimum_of_samples_parsed_or_not(make_scores):
    pairs = [*boxes("liver", 50, 0.5, n_unparsed=10), *boxes("spleen", 49, 1.0)]
    row = one_row(make_scores(pairs))
    assert (row["n_groups"], row["n"], row["n_parsed"]) == (1, 50, 40)
    assert row["iou_mean_parsed_group_mean"] == pytest.approx(0.5)
    assert row["iou_mean_zero_filled_sample_weighted"] == pytest.approx(0.4)
    assert one_row(make_scores(pairs), min_samples=49)["n_groups"] == 2


def test_minimum_is_per_group(make_scores):
    pairs = [
        ({**sample, "plane": "axial" if at % 3 else "coronal"}, answer)
        for at, (sample, answer) in enumerate(boxes("liver", 90, 0.5))
    ]
    rows = group_averages(make_scores(pairs), ["plane"], n_resamples=0).to_pylist()
    assert [(row["plane"], row["n"]) for row in rows] == [("axial", 60)]


@pytest.mark.parametrize("label", ["crown", "never heard of", "tumor", "edema"])
def test_others_and_miscellaneous_are_left_out(make_scores, label):
    pairs = [*boxes("liver", 50, 0.5), *boxes(label, 50, 1.0)]
    assert one_row(make_scores(pairs))["iou_mean_parsed_group_mean"] == pytest.approx(0.5)


def test_healthy_and_lesions_are_averaged_apart(make_scores):
    pairs = [*boxes("liver", 50, 0.5), *boxes("liver tumor", 50, 1.0)]
    rows = group_averages(make_scores(pairs), n_resamples=0).to_pylist()
    assert [(row["is_tumor_lesion"], row["iou_mean_parsed_group_mean"]) for row in rows] == [
        (False, pytest.approx(0.5)),
        (True, pytest.approx(1.0)),
    ]


def test_measurements_are_groups_of_their_own(make_scores):
    pairs = [
        ({"task": "ad", "truth": [10.0], "metric_key": key}, {"values": [10.0 + error]})
        for key, n, error in (("D1", 60, 1.0), ("D2", 50, 2.0), ("D3", 49, 9.0))
        for _ in range(n)
    ]
    row = one_row(make_scores(pairs), [])
    assert (row["n_groups"], row["n"]) == (2, 110)
    assert row["mae_mean_parsed_group_mean"] == pytest.approx(1.5)
    assert row["mae_mean_parsed_sample_weighted"] == pytest.approx(160 / 110)


def test_nothing_to_average_is_an_empty_table(make_scores):
    table = group_averages(make_scores(boxes("crown", 60, 0.5)))
    assert table.num_rows == 0
    assert "mre_mean_parsed_sample_weighted_low" in table.column_names


def test_protocols_are_never_averaged_together(make_scores):
    scores = make_scores([*boxes("liver", 60, 0.5), *boxes("spleen", 60, 0.5)])
    names = pa.array(["medvision"] * 60 + ["paper"] * 60)
    scores = scores.append_column("protocol", names)
    for function in (aggregate, group_averages):
        with pytest.raises(ScoreInputError, match=r"found medvision, paper, which are never"):
            function(scores)
        assert [row["n"] for row in function(scores, ["protocol"]).to_pylist()] == [60, 60]


def test_group_with_nothing_parsed_is_left_out_of_parsed_means_only(make_scores):
    row = one_row(make_scores([*boxes("liver", 50, 0.5), *boxes("spleen", 50, 1.0, n_unparsed=50)]))
    assert row["n_groups"] == 2
    assert row["iou_mean_parsed_group_mean"] == pytest.approx(0.5)
    assert row["iou_mean_parsed_sample_weighted"] == pytest.approx(0.5)
    assert row["iou_mean_zero_filled_group_mean"] == pytest.approx(0.25)


def test_averages_equal_means_of_the_group_rows(mixed_pairs, make_scores):
    scores = make_scores([pair for pair in mixed_pairs if pair[0]["task"] != "ad"])
    keys = ["anatomy_group", "label", "modality", "plane"]
    of_label = aggregate(scores, keys, n_resamples=0).to_pylist()
    excluded = ("Others", "Miscellaneous Tumor/Lesion", None)
    found = group_averages(scores, ["anatomy_group"], min_samples=8, n_resamples=0).to_pylist()
    assert len(found) > 5
    for row in found:
        groups = [
            one
            for one in of_label
            if one["anatomy_group"] == row["anatomy_group"] not in excluded
            and (one["task"], one["n"] >= 8) == (row["task"], True)
        ]
        assert row["n_groups"] == len(groups)
        assert row["n"] == sum(one["n"] for one in groups)
        for name in ("success_rate", "iou_mean_zero_filled", "mre_median_parsed"):
            known = [one for one in groups if one[name] is not None]
            values, ns = [one[name] for one in known], [one["n"] for one in known]
            plain = pytest.approx(np.mean(values)) if values else None
            assert row[f"{name}_group_mean"] == plain
            weighted = pytest.approx(np.average(values, weights=ns)) if values else None
            assert row[f"{name}_sample_weighted"] == weighted


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
    means = {"_group_mean": [], "_sample_weighted": []}
    for counts in subject_counts(subject_draws(len(subjects), range(50), seed=1), len(subjects)):
        times = dict(zip(subjects, counts.astype(int), strict=True))
        of_label = []
        for label in ("liver", "spleen"):
            drawn = []
            for row in rows:
                if row["label"] == label:
                    drawn += [row["iou"]] * times[row["subject_id"]]
            of_label.append((np.mean(drawn), len(drawn)))
        found, ns = np.array(of_label).T
        means["_group_mean"].append(found.mean())
        means["_sample_weighted"].append(np.average(found, weights=ns))
    row = group_averages(scores, seed=1, n_resamples=50).to_pylist()[0]
    for ending, resampled in means.items():
        ends = [row[f"iou_mean_parsed{ending}_{end}"] for end in ("low", "high")]
        assert ends == pytest.approx(list(np.percentile(resampled, [2.5, 97.5])))


def test_errors_withhold_the_average(make_scores):
    pairs = [*boxes("liver", 50, 0.5)]
    pairs[0] = (pairs[0][0], {"response": "error"})
    row = one_row(make_scores(pairs))
    name = "iou_mean_parsed_sample_weighted"
    assert (row["n"], row["n_error"], row[name]) == (50, 1, None)
    assert one_row(make_scores(pairs), max_error_rate=0.1)[name] == pytest.approx(0.5)


def test_averaging_by_label_is_the_label_itself(make_scores):
    row = one_row(make_scores(boxes("liver", 50, 0.5)), ["label"])
    assert (row["label"], row["n_groups"]) == ("liver", 1)

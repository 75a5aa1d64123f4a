import logging

import numpy as np
import pyarrow as pa
import pytest

from medvision.frames import SliceGeometry
from medvision.replies import Answer, AnswerStatus
from medvision.samples import SAMPLE_SCHEMA
from medvision.scoring import (
    ANSWER_SCHEMA,
    SCORE_SCHEMA,
    InvalidAnswerError,
    InvalidTruthError,
    ScoreInputError,
    UnknownTaskError,
    effective_status,
    score,
    score_table,
)

AD = {"task": "ad", "truth": [40.0]}
BOX = {"task": "detection", "truth": [0.1, 0.2, 0.5, 0.6]}
ROW_METRICS = ("iou", "precision", "recall", "f1", "absolute_error", "relative_error", "exact")


def by_row(truth_row, prefix=""):
    """What `score` says of one row of the score table."""
    status = AnswerStatus(truth_row[f"{prefix}status"])
    answer = Answer(status=status, values=tuple(truth_row[f"{prefix}values"]))
    return score(truth_row["task"], truth_row["truth"], answer)


def test_every_row_is_what_score_says(mixed_pairs, make_scores):
    scores = make_scores(mixed_pairs)
    for row in scores.to_pylist():
        expected = by_row(row)
        assert {name: row[name] for name in ROW_METRICS} == {
            name: getattr(expected, name) for name in ROW_METRICS
        }
        assert tuple(row["absolute_errors"] or ()) == expected.absolute_errors


def test_recovered_reading_is_scored_alike_beside_it(mixed_pairs, make_scores):
    rows = make_scores(mixed_pairs).to_pylist()
    for row in rows:
        expected = by_row(row, "recovered_")
        for name in ("iou", "absolute_error", "relative_error"):
            assert row[f"{name}_recovered"] == getattr(expected, name)
    n_strict = sum(row["status"] == "ok" for row in rows)
    n_recovered = sum(row["recovered_status"] == "ok" for row in rows)
    assert 0 < n_strict < n_recovered < len(rows)


def test_columns_and_types_are_the_stated_ones(mixed_pairs, make_scores):
    assert make_scores(mixed_pairs).schema.equals(SCORE_SCHEMA)
    assert make_scores([]).schema.equals(SCORE_SCHEMA)
    assert make_scores([]).num_rows == 0


def test_rows_repeat_their_samples(make_samples, make_answers):
    samples = make_samples([{**BOX, "label": "spleen", "case_id": "c7", "slice_index": 81}])
    row = score_table(samples, make_answers([{"sample_id": "s0"}])).to_pylist()[0]
    sample = samples.to_pylist()[0]
    carried = set(SCORE_SCHEMA.names) & set(SAMPLE_SCHEMA.names)
    assert {"dataset", "subject_id", "label", "truth", "unit", "modality"} <= carried
    assert {name: row[name] for name in carried} == {name: sample[name] for name in carried}


@pytest.mark.parametrize(
    ("response", "status", "expected"),
    [
        ("ok", "ok", "ok"),
        ("ok", "wrong_count", "wrong_count"),
        ("ok", "refused", "refused"),
        ("truncated", "ok", "ok"),
        ("truncated", "no_number", "truncated"),
        ("truncated", "empty", "truncated"),
        ("refused", "ok", "ok"),
        ("refused", "empty", "refused"),
        ("error", None, "error"),
        ("error", "ok", "error"),
    ],
)
def test_status_of_a_row(response, status, expected):
    of_row = effective_status(pa.array([response]), pa.array([status], pa.string()))
    assert of_row.to_pylist() == [expected]


def test_reply_without_a_status_is_an_error():
    with pytest.raises(InvalidAnswerError, match="expected a status for each reply"):
        effective_status(pa.array(["ok", "error"]), pa.array([None, None], pa.string()))


def test_errors_have_no_values_and_no_metric(make_samples, make_answers):
    answers = make_answers([{"sample_id": "s0", "values": [38.0]}]).to_pylist()
    answers[0]["response_status"] = "error"
    scores = score_table(make_samples([AD]), pa.Table.from_pylist(answers, ANSWER_SCHEMA))
    row = scores.to_pylist()[0]
    assert (row["status"], row["recovered_status"]) == ("error", "error")
    assert (row["values"], row["recovered_values"], row["absolute_errors"]) == ([], [], None)
    assert (row["absolute_error"], row["absolute_error_recovered"]) == (None, None)


def test_sample_without_an_answer_is_an_error(make_samples, make_answers, caplog):
    with caplog.at_level(logging.WARNING):
        scores = score_table(
            make_samples([AD, AD]), make_answers([{"sample_id": "s1", "values": [40.0]}])
        )
    assert scores["sample_id"].to_pylist() == ["s0", "s1"]
    assert scores["status"].to_pylist() == ["error", "ok"]
    assert scores["response_status"].to_pylist() == ["error", "ok"]
    assert scores["repeat"].to_pylist() == [0, 0]
    assert "1 of 2 answers are not stored" in caplog.text


def test_no_answers_at_all_are_errors(make_samples, make_answers):
    scores = score_table(make_samples([AD, BOX]), make_answers([]))
    assert scores["status"].to_pylist() == ["error", "error"]


def test_each_sample_gets_every_repeat_in_order(make_samples, make_answers):
    answers = make_answers(
        [
            {"sample_id": "s1", "repeat": 2, "values": [12.0]},
            {"sample_id": "s0", "repeat": 2, "values": [2.0]},
            {"sample_id": "s0", "repeat": 0, "values": [0.0]},
        ]
    )
    scores = score_table(make_samples([AD, AD]), answers)
    assert scores.select(["sample_id", "repeat", "status", "values"]).to_pylist() == [
        {"sample_id": "s0", "repeat": 0, "status": "ok", "values": [0.0]},
        {"sample_id": "s0", "repeat": 2, "status": "ok", "values": [2.0]},
        {"sample_id": "s1", "repeat": 0, "status": "error", "values": []},
        {"sample_id": "s1", "repeat": 2, "status": "ok", "values": [12.0]},
    ]


def test_order_and_chunks_of_answers_do_not_matter(mixed_pairs, make_samples, make_answers):
    samples = make_samples([sample for sample, _ in mixed_pairs])
    answers = make_answers(
        [{"sample_id": f"s{at}", **answer} for at, (_, answer) in enumerate(mixed_pairs)]
    )
    expected = score_table(samples, answers)
    order = np.random.default_rng(3).permutation(answers.num_rows)
    shuffled = answers.take(pa.array(order))
    in_chunks = pa.concat_tables([shuffled.slice(0, 100), shuffled.slice(100)])
    assert score_table(samples, in_chunks).equals(expected)
    sliced = pa.concat_tables([samples.slice(0, 7), samples.slice(7)])
    assert score_table(sliced, answers).equals(expected)
    tail = score_table(samples.slice(550), answers.slice(550))
    assert tail.equals(expected.slice(550))


def test_further_columns_and_wider_types_are_accepted(make_samples, make_answers):
    samples = make_samples([AD]).append_column("prompt", pa.array(["How far?"]))
    answers = make_answers([{"sample_id": "s0", "values": [30.0]}])
    wide = answers.set_column(1, "repeat", pa.array([0], pa.int64()))
    assert score_table(samples, wide)["relative_error"].to_pylist() == [0.25]


@pytest.mark.parametrize(
    ("side_px", "size_bin"),
    [(1, "<5%"), (49, "<5%"), (50, "5-10%"), (99, "5-10%"), (100, ">10%"), (1000, ">10%")],
)
def test_size_bins_are_closed_on_the_left(make_scores, side_px, size_bin):
    slender = SliceGeometry(height_px=100, width_px=10, spacing_y_mm=1.0, spacing_x_mm=1.0)
    sample = {**BOX, "geometry": slender, "box_px": [0.0, 0.0, 1.0, float(side_px)]}
    row = make_scores([(sample, {})]).to_pylist()[0]
    assert row["box_to_image_frac"] == pytest.approx(side_px / 1000)
    assert row["size_bin"] == size_bin


def test_error_of_a_length_is_related_to_the_physical_diagonal(make_scores):
    # 150 mm × 100 mm
    shape = SliceGeometry(height_px=300, width_px=400, spacing_y_mm=0.5, spacing_x_mm=0.25)
    size = {"geometry": shape}
    scores = make_scores(
        [
            ({**AD, **size}, {"values": [30.0]}),
            ({"task": "tl", "truth": [30.0, 20.0], **size}, {"values": [28.0, 24.0]}),
            ({**AD, **size, "unit": "deg", "metric_kind": "angle"}, {"values": [30.0]}),
            ({"task": "area", "truth": [90.0], **size}, {"values": [80.0]}),
            ({**BOX, **size}, {"values": BOX["truth"]}),
            ({**AD, **size}, {"status": "refused"}),
        ]
    )
    diagonal_mm = 180.27756377319946
    assert scores["nmae_frac"].to_pylist() == [
        pytest.approx(10 / diagonal_mm),
        pytest.approx(3 / diagonal_mm),
        *[None] * 4,
    ]


@pytest.mark.parametrize(
    ("label", "group", "is_lesion"),
    [
        ("Left Kidney", "Kidney", False),
        ("liver tumor", "Liver Tumor/Lesion", True),
        ("Precentral_L", "Others", False),
    ],
)
def test_label_gives_group_and_kind(make_scores, label, group, is_lesion):
    row = make_scores([({**BOX, "label": label}, {})]).to_pylist()[0]
    assert (row["anatomy_group"], row["is_tumor_lesion"]) == (group, is_lesion)


def test_measurement_without_a_label_has_neither_group_nor_size(make_scores):
    row = make_scores([(AD, {"values": [1.0]})]).to_pylist()[0]
    names = ("anatomy_group", "is_tumor_lesion", "box_to_image_frac", "size_bin")
    assert {row[name] for name in names} == {None}


@pytest.mark.parametrize(
    ("task", "truth"),
    [("tl", [1.0]), ("detection", [0.5, 0.2, 0.1, 0.6]), ("ad", [float("nan")]), ("area", [])],
)
def test_bad_truth_names_the_sample(make_scores, task, truth):
    with pytest.raises(InvalidTruthError, match=r"truth of s1 \(and 1 more\): expected"):
        make_scores([(AD, {}), *[({"task": task, "truth": truth}, {})] * 2])


def test_incomplete_ok_answer_names_the_sample(make_scores):
    with pytest.raises(InvalidAnswerError, match=r"ok answer to s1: expected 2 .* found \[3.0\]"):
        make_scores([(AD, {}), ({"task": "tl", "truth": [3.0, 2.0]}, {"values": [3.0]})])


def test_unknown_task_is_refused(make_samples, make_answers):
    samples = make_samples([AD])
    at = samples.schema.get_field_index("task")
    with pytest.raises(UnknownTaskError, match="found 'colour'"):
        score_table(samples.set_column(at, "task", pa.array(["colour"])), make_answers([]))


def test_answers_of_another_run_are_refused(make_samples, make_answers):
    with pytest.raises(ScoreInputError, match="1 samples, found 1 others, such as 's9'"):
        score_table(make_samples([AD]), make_answers([{"sample_id": "s9"}]))


def test_answer_given_twice_is_refused(make_samples, make_answers):
    with pytest.raises(ScoreInputError, match="answers: expected each once, found 's1' more"):
        score_table(
            make_samples([AD, AD]),
            make_answers([{"sample_id": "s0"}, {"sample_id": "s1"}, {"sample_id": "s1"}]),
        )


def test_sample_given_twice_is_refused(make_samples, make_answers):
    samples = make_samples([AD])
    with pytest.raises(ScoreInputError, match="samples: expected each once, found 's0' more"):
        score_table(pa.concat_tables([samples, samples]), make_answers([]))


@pytest.mark.parametrize("column", ["response_status", "status", "recovered_status"])
def test_unknown_words_are_refused(make_samples, make_answers, column):
    rows = make_answers([{"sample_id": "s0"}]).to_pylist()
    rows[0][column] = "done"
    answers = pa.Table.from_pylist(rows, ANSWER_SCHEMA)
    with pytest.raises(ScoreInputError, match=rf"expected {column} of ok, .* found \['done'\]"):
        score_table(make_samples([AD]), answers)


@pytest.mark.parametrize("column", ["sample_id", "repeat", "response_status"])
def test_keys_must_not_be_null(make_samples, make_answers, column):
    rows = make_answers([{"sample_id": "s0"}]).to_pylist()
    rows[0][column] = None
    answers = pa.Table.from_pylist(rows, ANSWER_SCHEMA)
    with pytest.raises(ScoreInputError, match=f"expected no null in {column}, found 1"):
        score_table(make_samples([AD]), answers)


def test_missing_columns_are_named(make_samples, make_answers):
    samples, answers = make_samples([AD]), make_answers([])
    with pytest.raises(ScoreInputError, match=r"samples: expected the columns \['unit'\] too"):
        score_table(samples.drop_columns(["unit"]), answers)
    with pytest.raises(ScoreInputError, match=r"answers: expected the columns \['values'\] too"):
        score_table(samples, answers.drop_columns(["values"]))

import sqlite3
import statistics
from collections import defaultdict

import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.models.run_folder import run_manifest
from medvision.scoring.combined import Combine, combined_run


def asked(tables, run, *more, model="baseline/noisy-oracle:0.3", repeats=5):
    words = ["eval", "--tables", tables, "--split", "all", "--model", model, "--run", run]
    return main([str(word) for word in (*words, "--repeats", repeats, *more)])


def rows(run):
    return pq.read_table(run / "scores.parquet").to_pylist()


@pytest.fixture(scope="module")
def repeated(study_tables, tmp_path_factory):
    place = tmp_path_factory.mktemp("repeated")
    suite, run = place / "three.toml", place / "run"
    tasks = "".join(f'[[configs]]\ntask = "{task}"\n' for task in ("detection", "tl", "area"))
    suite.write_text(f'name = "three"\ncap_per_config = 20\n{tasks}', encoding="utf-8")
    assert asked(study_tables, run, "--suite", suite) == 0
    return run


@pytest.mark.parametrize(
    ("how", "middle"), [("median", statistics.median), ("mean", statistics.fmean)]
)
def test_each_number_is_that_of_the_replies(repeated, how, middle):
    folder = combined_run(repeated, Combine(how))
    assert folder == repeated / how
    stated = defaultdict(list)
    for row in rows(repeated):
        if row["task"] != "detection":
            stated[row["sample_id"]].append(row["values"])
    found = {row["sample_id"]: row["values"] for row in rows(folder)}
    assert found.keys() == stated.keys()
    assert stated
    for sample_id, values in found.items():
        expected = [middle(column) for column in zip(*stated[sample_id], strict=True)]
        assert values == pytest.approx(expected, abs=0.0051)


def test_the_median_of_noisy_answers_is_nearer_the_truth(repeated):
    folder = combined_run(repeated, Combine.MEDIAN)

    def mean_error(run):
        found = [r["relative_error"] for r in rows(run) if r["relative_error"] is not None]
        return statistics.fmean(found)

    assert mean_error(folder) < 0.8 * mean_error(repeated)


def test_it_is_a_run_under_a_name_of_its_own_that_is_reported_beside_the_other(repeated, tmp_path):
    folder = combined_run(repeated, Combine.MEDIAN)
    assert run_manifest(folder)["model"] == "baseline/noisy-oracle:0.3 (median of 5)"
    assert main(["report", str(repeated), str(folder), "--out", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "(median of 5)" in page


def test_a_question_that_most_replies_leave_open_stays_unread(study_tables, tmp_path):
    run = tmp_path / "run"
    asked(study_tables, run, "--task", "tl", "--limit", "3", repeats=4)
    ids = sorted({row["sample_id"] for row in rows(run)})
    with sqlite3.connect(run / "responses.sqlite") as store:
        for sample_id, n_unread in zip(ids, (3, 2, 4), strict=True):
            store.execute(
                "UPDATE responses SET text = 'I cannot tell.' WHERE key IN (SELECT key FROM "
                "requests WHERE sample_id = ? ORDER BY repeat LIMIT ?)",
                (sample_id, n_unread),
            )
    store.close()
    assert main(["score", str(run), "--combine", "median"]) == 0
    found = {row["sample_id"]: row for row in rows(run / "median")}
    assert [found[name]["status"] == "ok" for name in ids] == [False, True, False]
    stated = [row["values"] for row in rows(run) if row["sample_id"] == ids[1] and row["values"]]
    assert len(stated) == 2
    assert found[ids[1]]["values"][0] == pytest.approx((stated[0][0] + stated[1][0]) / 2, abs=0.006)


def test_the_median_of_counts_is_one_of_them(study_tables, tmp_path):
    run = tmp_path / "run"
    asked(study_tables, run, "--task", "count", "--limit", "10", "--combine", "median", repeats=4)
    stated = defaultdict(list)
    for row in rows(run):
        stated[row["sample_id"]].append(row["values"][0])
    for row in rows(run / "median"):
        assert row["values"] == [statistics.median_low(stated[row["sample_id"]])]


def test_lists_of_boxes_are_not_combined(study_tables, tmp_path, capsys):
    run = tmp_path / "run"
    assert asked(study_tables, run, "--task", "instances", "--limit", "4", repeats=3) == 0
    assert main(["score", str(run), "--combine", "median"]) == 2
    assert "boxes alone" in capsys.readouterr().err


def test_one_reply_or_boxes_alone_cannot_be_combined(study_tables, tmp_path, capsys):
    assert asked(study_tables, tmp_path / "a", "--task", "tl", "--combine", "mean", repeats=1) == 2
    assert "add --repeats 8" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert asked(study_tables, tmp_path / "b", "--task", "tl", "--limit", "2", repeats=1) == 0
    assert main(["score", str(tmp_path / "b"), "--combine", "mean"]) == 2
    assert "expected several replies to each question, found 1" in capsys.readouterr().err
    assert asked(study_tables, tmp_path / "c", "--task", "detection", "--limit", "2") == 0
    assert main(["score", str(tmp_path / "c"), "--combine", "mean"]) == 2
    assert "boxes alone" in capsys.readouterr().err

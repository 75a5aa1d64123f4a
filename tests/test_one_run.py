"""One run is one model and one list of questions, and its scores are those of its own replies."""

import json
import logging
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.storage import only_process


def words(tables, run, model, task="tl"):
    asked = ["eval", "--tables", tables, "--task", task, "--model", model, "--run", run]
    return [str(word) for word in asked]


def evaluate(tables, run, model, task="tl"):
    assert main(words(tables, run, model, task)) == 0
    return run


def reported(run, capsys):
    """Model and relative error on the report's first table, as JSON gives them."""
    capsys.readouterr()
    assert main(["report", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = next(table for table in found["tables"] if table["by"] == [])["rows"]
    return found["runs"][0]["model"], row["mre_mean_parsed"]


@pytest.fixture
def oracle(study_tables, tmp_path):
    return evaluate(study_tables, tmp_path / "oracle", "baseline/oracle")


@pytest.fixture
def constant(study_tables, tmp_path):
    return evaluate(study_tables, tmp_path / "constant", "baseline/constant:20")


def test_a_second_model_is_refused_and_the_first_one_kept(study_tables, oracle, capsys):
    before = reported(oracle, capsys)
    assert main(words(study_tables, oracle, "baseline/constant:20")) == 2
    told = capsys.readouterr().err
    assert "holds the replies of baseline/oracle, and one run is one model" in told
    assert "baseline/constant:20 in another --run folder" in told
    assert reported(oracle, capsys) == before


def test_two_processes_into_one_run(study_tables, tmp_path):
    run = tmp_path / "run"
    with only_process(run, "testing"):
        done = subprocess.run(
            [sys.executable, "-m", "medvision.cli", *words(study_tables, run, "baseline/oracle")],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert "another process is evaluating here" in done.stderr
    assert list(run.iterdir()) == []


def test_scoring_while_another_process_is_at_work(oracle):
    with only_process(oracle, "testing"):
        done = subprocess.run(
            [sys.executable, "-m", "medvision.cli", "score", str(oracle)],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert "another process is scoring here" in done.stderr


def test_a_second_model_leaves_even_the_list_of_a_run_that_lost_its_own(study_tables, oracle):
    (oracle / "samples.parquet").unlink()
    assert main(words(study_tables, oracle, "baseline/constant:20")) == 2
    assert not (oracle / "samples.parquet").exists()


@pytest.mark.parametrize("column", ["label", "plane", "subject_id", "spacing_x_mm"])
def test_scores_of_other_samples_are_made_again(oracle, caplog, column):
    """Of samples with the same questions and truths, and others in what scores are grouped by."""
    samples = pq.read_table(oracle / "samples.parquet", partitioning=None)
    place = samples.column_names.index(column)
    turned = samples[column].combine_chunks().take(list(range(len(samples) - 1, -1, -1)))
    changed = samples.set_column(place, samples.schema.field(column), turned)
    pq.write_table(changed, oracle / "samples.parquet")
    with caplog.at_level(logging.WARNING):
        assert main(["report", str(oracle), "--json"]) == 0
    is_same = changed[column].equals(samples[column])
    assert is_same or "scoring again" in caplog.text
    scores = pq.read_table(oracle / "scores.parquet", partitioning=None)
    assert scores[column].to_pylist() == changed[column].to_pylist()


def test_scores_of_one_run_are_never_shown_under_another_name(oracle, constant, capsys, caplog):
    own = reported(constant, capsys)
    shutil.copy(oracle / "scores.parquet", constant / "scores.parquet")
    with caplog.at_level(logging.WARNING):
        assert reported(constant, capsys) == own
    assert "not those of its present replies; scoring again" in caplog.text
    assert own[0] == "baseline/constant:20"
    assert own[1] > 0.1


def test_an_evaluation_killed_before_it_scored_is_reported_by_its_own_replies(
    study_tables, oracle, constant, capsys
):
    """What a kill between manifest and scores leaves: the manifest of now, the scores of before."""
    before = (constant / "scores.parquet").read_bytes()
    assert main([*words(study_tables, constant, "baseline/constant:20"), "--style", "cot"]) == 0
    own = reported(constant, capsys)
    after = pq.read_table(constant / "scores.parquet", partitioning=None)
    (constant / "scores.parquet").write_bytes(before)
    assert reported(constant, capsys) == own
    again = pq.read_table(constant / "scores.parquet", partitioning=None)
    assert again.equals(after, check_metadata=True)


def test_scores_of_the_version_before_are_made_again(oracle, capsys):
    own = reported(oracle, capsys)
    scores = pq.read_table(oracle / "scores.parquet", partitioning=None)
    pq.write_table(scores.replace_schema_metadata(None), oracle / "scores.parquet")
    assert reported(oracle, capsys) == own
    assert pq.read_schema(oracle / "scores.parquet").metadata


def test_current_scores_are_read_and_not_made_again(oracle, capsys):
    changed = (oracle / "scores.parquet").stat().st_mtime_ns
    reported(oracle, capsys)
    assert (oracle / "scores.parquet").stat().st_mtime_ns == changed

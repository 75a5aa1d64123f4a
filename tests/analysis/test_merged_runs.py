"""One row a model: runs of single tasks are one, names are the user's, conflicts are told."""

import doctest
from dataclasses import replace
from pathlib import Path

import pytest

from medvision.analysis.merged_runs import merged_runs
from medvision.analysis.run_scores import RunNamesError
from medvision.cli import main, run_names
from medvision.cli.run_names import named_runs
from medvision.errors import UsageError


@pytest.fixture(scope="module")
def lying(make_samples, make_run):
    """A run of some tasks that lies in a folder."""

    def build(folder, counts, name="m", **changes):
        run = make_run(name, make_samples(counts))
        return replace(run, folders=dict.fromkeys(counts, Path(folder)), **changes)

    return build


def test_runs_of_single_tasks_are_one_row(lying):
    boxes, sizes = lying("a/boxes", {"detection": 6}), lying("a/sizes", {"tl": 4})
    other = lying("b", {"detection": 6}, name="other")
    found = merged_runs([boxes, other, sizes], {})
    assert [run.name for run in found] == ["m", "other"]
    assert found[0].scores.num_rows == found[0].samples.num_rows == found[0].replies.num_rows == 10
    assert found[0].folders == {"detection": Path("a/boxes"), "tl": Path("a/sizes")}
    assert found[0].manifest["merged_with"] == [sizes.manifest]


def test_columns_that_one_run_lacks_are_null_in_the_merged_one(lying):
    boxes, sizes = lying("a", {"detection": 6}), lying("b", {"tl": 4})
    scores = sizes.scores.append_column("subject_scanner", [["x"] * 4])
    (found,) = merged_runs([boxes, replace(sizes, scores=scores)], {})
    assert found.scores["subject_scanner"].to_pylist() == [None] * 6 + ["x"] * 4


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, {"detection": 6, "tl": 2}),
        ({"manifest": {"model": "m", "style": "cot"}}, {"tl": 2}),
    ],
)
def test_runs_that_cannot_be_one_are_told_apart_by_their_folders(lying, changes, counts):
    runs = [lying("a/one", {"detection": 6}), lying("a/two", counts, **changes)]
    assert [run.name for run in merged_runs(runs, {})] == ["m (one)", "m (two)"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"detection": 6}, "more than one of them holds detection"),
        ({"tl": 2}, "they are of different models"),
    ],
)
def test_one_name_for_runs_that_cannot_be_one_is_told(lying, second, reason):
    first, other = lying("a/one", {"detection": 6}), lying("a/two", second, name="other")
    runs = [replace(first, name="N"), replace(other, name="N", model="openai/other")]
    with pytest.raises(RunNamesError, match=f"a/one, a/two are all called 'N', and {reason}"):
        merged_runs(runs, {Path("a/two"): "N"})


@pytest.mark.parametrize("words", [["a"], ["=N"], ["a="], ["a=N", "a=M"]])
def test_names_that_are_not_understood_are_told(words):
    with pytest.raises(UsageError, match="--name: "):
        named_runs(words)
    assert doctest.testmod(run_names).failed == 0


def test_names_on_the_command_line(study_tables, tmp_path, capsys):
    for task in ("tl", "detection"):
        words = ["eval", "--tables", str(study_tables), "--task", task, "--limit", "20"]
        assert main([*words, "--model", "baseline/center", "--run", str(tmp_path / task)]) == 0
    runs = [str(tmp_path / "tl"), str(tmp_path / "detection")]
    capsys.readouterr()
    assert main(["analyse", *runs]) == 0
    assert "baseline/center detection" in capsys.readouterr().out
    named = [word for run in runs for word in ("--name", f"{run}=The middle")]
    assert main(["report", *runs, *named, "--out", str(tmp_path / "page.html")]) == 0
    assert ">The middle<" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert main(["report", *runs, "--name", "gone=N"]) == 2
    assert "--name: gone: not among the runs" in capsys.readouterr().err

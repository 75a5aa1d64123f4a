"""Tables whose image files have moved: what is missing is named, and `--root` finds it again."""

import contextlib
import json
import shutil
from unittest.mock import Mock

import numpy as np
import pytest

from medvision.analysis.case_server import ServedCases
from medvision.analysis.read_run import read_run, row_samples
from medvision.cli import main, report
from medvision.models.run_folder import read_samples
from medvision.samples.select import select_samples
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.inputs import input_digest, moved_input
from medvision.table.read import tables_manifest
from medvision.tasks import Task
from tests.table.conftest import phantom, write_nifti


@pytest.fixture
def moved(tmp_path):
    """Tables of a user's own, whose files have gone from `old` to `new`."""
    image, labels = phantom()
    image, labels = (np.kron(one, np.ones((3, 3, 1), one.dtype)) for one in (image, labels))
    for case in ("a", "b"):
        write_nifti(tmp_path / "old" / "images" / f"{case}.nii.gz", image)
        write_nifti(tmp_path / "old" / "masks" / f"{case}.nii.gz", labels)
    (tmp_path / "labels.json").write_text(json.dumps({"1": "liver", "2": "spleen"}))
    words = [
        "build",
        "--images",
        tmp_path / "old" / "images",
        "--masks",
        tmp_path / "old" / "masks",
    ]
    words += ["--labels", tmp_path / "labels.json", "--name", "x", "--modality", "CT"]
    assert main([str(word) for word in (*words, "--out", tmp_path / "t")]) == 0
    shutil.move(tmp_path / "old", tmp_path / "new")
    return tmp_path


def uris(tables, root=None):
    suite = Suite(name="s", configs=(TaskConfig(task=Task.DETECTION),), cap_per_config=None)
    samples = select_samples(suite, {"x": tables}, split="all", root=root).samples
    return {one.image_uri for one in samples}


def test_a_root_stands_for_the_folder_of_all_files(moved):
    assert tables_manifest(moved / "t")["files_root"] == str(moved / "old")
    new = {str(moved / "new" / "images" / f"{case}.nii.gz") for case in ("a", "b")}
    assert uris(moved / "t", moved / "new") == new


def test_files_that_are_where_they_were_stay_whatever_the_root(moved):
    shutil.move(moved / "new", moved / "old")
    old = {str(moved / "old" / "images" / f"{case}.nii.gz") for case in ("a", "b")}
    assert uris(moved / "t", moved / "elsewhere") == uris(moved / "t") == old


def evaluate(folder, *more):
    words = [
        "eval",
        "--tables",
        folder / "t",
        "--task",
        "detection",
        "--split",
        "all",
        "--limit",
        2,
    ]
    words += ["--model", "openai/m", "--base-url", "http://127.0.0.1:9/v1", "--family", "64x64"]
    return main([str(word) for word in (*words, "--run", folder / "run", *more)])


def test_missing_files_are_named_with_what_to_do(moved, capsys):
    assert evaluate(moved) == 1
    shown = capsys.readouterr().err
    first = moved / "old" / "images"
    assert f"image files are missing, such as {first}" in shown
    assert (
        f"give --root FOLDER, which stands for {moved / 'old'}, or build the tables again" in shown
    )
    assert "have no answer: image files are missing, see above" in shown
    assert "run it again" not in shown


def test_with_the_root_nothing_is_missing(moved, capsys):
    evaluate(moved, "--root", moved / "new")  # no server answers there
    assert "missing" not in capsys.readouterr().err


def suite_of(folder, labels):
    configs = "".join(
        f'[[configs]]\ntask = "detection"\nlabels = ["{label}"]\n' for label in labels
    )
    (folder / "own.toml").write_text(f'name = "own"\n{configs}')
    words = ["eval", "--suite", folder / "own.toml", "--tables", folder / "t", "--split", "all"]
    words += ["--model", "baseline/center", "--run", folder / "run"]
    return main([str(word) for word in words])


def test_a_label_that_no_table_has_is_told(moved, capsys):
    assert suite_of(moved, ["liver", "splen"]) == 0
    told = capsys.readouterr().err
    assert (
        f"suite 'own': detection: no label 'splen' in {moved / 't'}; did you mean 'spleen'?" in told
    )
    assert "known: liver, spleen" in told


def test_a_suite_of_unknown_labels_alone_is_refused(moved, capsys):
    assert suite_of(moved, ["splen"]) == 2
    assert "no label 'splen'" in capsys.readouterr().err
    assert not (moved / "run").exists()


def test_a_report_finds_moved_images_by_their_root(tmp_path, moved, capsys):
    shutil.move(moved / "new", moved / "old")
    words = ["eval", "--tables", moved / "t", "--task", "detection", "--split", "all"]
    words += ["--limit", 3, "--model", "baseline/center", "--run", moved / "run"]
    assert main(list(map(str, words))) == 0

    def n_pictures(*more):
        assert main([*map(str, ("report", moved / "run", "--out", moved / "r.html", *more))]) == 0
        return (moved / "r.html").read_text(encoding="utf-8").count("base64,iVBOR")

    whole = n_pictures()
    shutil.move(moved / "old", moved / "new")
    without = n_pictures()
    assert without < whole
    assert n_pictures("--root", moved / "new") == whole
    assert n_pictures("--root", moved) == without  # no `images` there
    found = row_samples(moved / "new")
    served = ServedCases([read_run(moved / "run")], sample_of=found)
    assert served.picture(0, window=None, side_px=None).startswith(b"\x89PNG")
    words = ["render", read_samples(moved / "run")["sample_id"][0].as_py(), "--run", moved / "run"]
    words += ["--out", moved / "case.png"]
    assert main(list(map(str, words))) == 2
    assert main(list(map(str, (*words, "--root", moved / "new")))) == 0
    assert (moved / "case.png").exists()


def test_a_served_report_takes_the_root(moved, monkeypatch):
    given = []
    monkeypatch.setattr(report, "read_runs", lambda *_, **__: [])
    monkeypatch.setattr(report, "row_samples", given.append)
    monkeypatch.setattr(report, "ServedCases", lambda *_, **__: None)
    monkeypatch.setattr(report, "CaseServer", lambda *_: contextlib.nullcontext(Mock(url="")))
    assert main(["report", str(moved), "--serve", "--root", str(moved / "new")]) == 0
    assert given == [moved / "new"]


def test_a_root_with_other_files_of_the_same_names_is_not_taken(tmp_path):
    for folder, content in (("data/images", b"other"), ("data/x/images", b"same")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.nii").write_bytes(content)
    gone, root = tmp_path / "gone" / "images" / "a.nii", tmp_path / "data"
    digest = input_digest(root / "x" / "images" / "a.nii")
    assert moved_input(gone, root, digest) == gone
    assert moved_input(gone, root / "x", digest) == root / "x" / "images" / "a.nii"
    assert moved_input(gone, root, "") == root / "images" / "a.nii"

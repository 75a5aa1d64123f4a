"""Cohorts whose files lie in several ways, in part unlabelled, or are told by number."""

import json
from pathlib import Path

import numpy as np
import pytest

from medvision.catalog.check import refuse_mistakes
from medvision.catalog.dataset import parse_dataset
from medvision.cli import main
from medvision.declarations import DeclarationError
from medvision.table.read import read_cases, read_structures
from tests.describe.trees import LABELS, save, volume

DECLARED = """
name = "own"
[labels]
1 = "organ"
2 = "tumor"
[[cohorts]]
mask = "Masks/{case}.nii.gz"
images = [{ modality = "CT", files = "Images/{case}.nii.gz" }]
"""
LAYOUT = """
[[cohorts.layouts]]
mask = "%s/{case}/seg.nii.gz"
images = { image = "%s/{case}/ct.nii.gz" }
"""
ONE = (LABELS == 1).astype(np.uint8)


def case(at, labels=LABELS):
    save(Path(at, "ct.nii.gz"), volume())
    if labels is not None:
        save(Path(at, "seg.nii.gz"), labels)


def plain(case_id, labels=LABELS):
    save(Path("Images", f"{case_id}.nii.gz"), volume())
    save(Path("Masks", f"{case_id}.nii.gz"), labels)


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def built(text, status=0):
        Path("own.toml").write_text(text, encoding="utf-8")
        assert main(["build", "own.toml", "--out", "tables"]) == status
        manifest = json.loads(Path("tables", "manifest.json").read_text("utf-8"))
        ids = read_cases(Path("tables"))["case_id"].to_pylist()
        return ids, {note["kind"]: note["items"] for note in manifest["notes"]}

    return built


def test_of_a_case_that_lies_in_several_ways_the_first_layout_counts(build):
    case("fixed/a", ONE)
    case("first/a")
    case("first/b")
    plain("b", ONE)
    plain("c")
    text = DECLARED + LAYOUT % ("fixed", "fixed") + LAYOUT % ("first", "first")
    ids, notes = build(text)
    assert ids == ["a", "b", "c"]
    assert "file_unmatched" not in notes
    rows = read_structures(Path("tables")).to_pylist()
    with_tumor = {row["case_id"] for row in rows if row["label_id"] == 2}
    assert with_tumor == {"b", "c"}


def test_a_case_that_lacks_a_file_does_not_hide_a_whole_one(build, capsys):
    case("fixed/a", None)
    save(Path("fixed", "b", "seg.nii.gz"), ONE)  # corrects a case whose image lies elsewhere
    case("first/a")
    case("first/b")
    text = DECLARED + LAYOUT % ("fixed", "fixed") + LAYOUT % ("first", "first")
    assert build(text, status=1)[0] == ["a", "b"]
    told = capsys.readouterr().err
    assert "case b: no image goes with fixed/b/seg.nii.gz" in told
    assert "case a" not in told


def test_cases_without_a_label_are_problems_unless_they_are_left_out(build, capsys):
    case("first/a")
    case("first/b", None)
    text = DECLARED + LAYOUT % ("first", "first")
    assert build(text, status=1)[0] == ["a"]
    assert "b: unpaired" in capsys.readouterr().err
    text = text.replace("[[cohorts]]", '[[cohorts]]\nunlabelled = "left_out"', 1)
    ids, notes = build(text)
    assert ids == ["a"]
    assert notes["case_excluded"] == ["b (nothing says what is on it)"]


def test_cohorts_of_one_folder_are_told_by_number(build):
    for number in ("001", "506", "507"):
        plain(f"amos_{number}")
    low = DECLARED.replace("[[cohorts]]", '[[cohorts]]\nname = "low"\nnumbers = [0, 506]')
    high = low[low.index("[[cohorts]]") :].replace("low", "high").replace("[0, 506]", "[507, 600]")
    assert build(low + high)[0] == ["amos_507", "amos_001", "amos_506"]
    rows = read_cases(Path("tables")).to_pylist()
    cohorts = {row["case_id"]: row["cohort"] for row in rows}
    assert cohorts == {"amos_001": "low", "amos_506": "low", "amos_507": "high"}


def test_cases_with_empty_masks_are_left_out_where_it_is_declared(build, capsys):
    plain("a")
    plain("b", np.zeros_like(LABELS))
    build(DECLARED, status=1)
    text = DECLARED.replace('name = "own"', 'name = "own"\nempty_masks = "left_out"')
    for _ in range(2):
        ids, notes = build(text)
        assert ids == ["a"]
        assert notes["case_empty"] == ["b"]
    assert "up to date" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        (
            'images = { other = "{case}.nii" }',
            "expected image, as the cohort has them, found other",
        ),
        ("images = {}", "expected image, as the cohort has them, found none"),
        ('images = { image = "ct.nii" }', "'ct.nii' needs {subject} or {session} or {case}"),
        (
            'images = { image = "{case}.nii" }\nlandmark_lines = ["A"]',
            "landmark_lines and _voxels go with landmarks",
        ),
        (
            'images = { image = { files = "{case}.nii", steps = [{ transform = "t.txt" }] } }',
            "'t.txt' needs {subject} or {session} or {case}",
        ),
        (
            'images = { image = "{case}.nii" }\n'
            'masks = [{ files = "{case}_m.nii", steps = [{ transform = "{case}.txt" }] }]',
            "transform is for images, once",
        ),
    ],
)
def test_layouts_that_cannot_be_are_refused(layout, told):
    text = f"{DECLARED}[[cohorts.layouts]]\n{layout}\n"
    with pytest.raises(DeclarationError) as caught:
        refuse_mistakes(parse_dataset(text, "own"), "own")
    assert told in str(caught.value)

"""Cases of an earlier build are taken over: the tables are those of a build from nothing."""

import json
import shutil

import pytest

from medvision.cli import main
from medvision.table import build as building
from medvision.table.read import read_biometrics, read_cases, read_regions, read_structures

SPEC = {
    "landmarks": {"A": "left end", "B": "right end"},
    "lines": {"AB": {"landmarks": ["A", "B"]}},
    "measure": [{"kind": "distance", "key": "AB"}],
}


def build(study, out):
    words = ["build", "--images", study / "images", "--masks", study / "masks"]
    words += ["--landmarks", study / "landmarks", "--biometrics", study / "spec.json"]
    words += ["--labels", study / "labels.json", "--name", "s", "--modality", "CT", "--out", out]
    return main([str(word) for word in words])


def add(study, case, points):
    for kind in ("images", "masks"):
        if not (study / kind / f"{case}.nii.gz").exists():
            shutil.copy(study / kind / "a.nii.gz", study / kind / f"{case}.nii.gz")
    (study / "landmarks" / f"{case}.json").write_text(json.dumps(points))


@pytest.fixture
def asked(monkeypatch):
    """Ids of the cases that were measured."""
    ids = []
    annotate = building.annotate_case

    def noted(case, *rest):
        ids.append(case.case_id)
        return annotate(case, *rest)

    monkeypatch.setattr(building, "annotate_case", noted)
    return ids


def test_only_new_cases_are_measured_and_the_tables_are_those_of_a_whole_build(
    study, tmp_path, asked
):
    (study / "landmarks").mkdir()
    (study / "spec.json").write_text(json.dumps(SPEC))
    for case in ("a", "b"):
        add(study, case, {"A": [3, 4, 5], "B": [9, 4, 5]})
    add(study, "c", {"A": [3, 4, 5], "B": [9, 5, 6]})  # on no slice together: a problem
    out = study / "tables"
    # Below the table folder, where paths are kept relative.
    for kind in ("images", "masks"):
        (study / kind).rename(study / f"{kind}-there")
        out.mkdir(exist_ok=True)
        (study / f"{kind}-there").rename(out / kind)
        (study / kind).symlink_to(out / kind)
    assert build(study, out) == 1
    assert asked == ["a", "b", "c"]
    assert build(study, out) == 1
    assert asked == ["a", "b", "c"]
    add(study, "d", {"A": [3, 4, 5], "B": [9, 4, 5]})
    asked.clear()
    assert build(study, out) == 1
    assert asked == ["d"]  # a case with a problem is told again
    assert build(study, tmp_path / "whole") == 1
    for read in (read_regions, read_structures, read_biometrics):
        assert read(out).equals(read(tmp_path / "whole"))
        assert read(out).num_rows
    found, whole = read_cases(out), read_cases(tmp_path / "whole")
    assert found.drop(["images", "mask_uri"]).equals(whole.drop(["images", "mask_uri"]))
    assert found["mask_uri"].to_pylist() == [f"masks/{case}.nii.gz" for case in "abcd"]
    uris = [case["images"][0]["uri"] for case in found.to_pylist()]
    assert uris == [f"images/{case}.nii.gz" for case in "abcd"]


def test_damaged_tables_are_measured_anew(study, tmp_path, asked):
    (study / "landmarks").mkdir()
    (study / "spec.json").write_text(json.dumps(SPEC))
    for case in ("a", "b", "c"):
        add(study, case, {"A": [3, 4, 5], "B": [9, 4, 5]})
    assert build(study, tmp_path / "t") == 0
    next((tmp_path / "t" / "regions").rglob("*.parquet")).unlink()
    asked.clear()
    assert build(study, tmp_path / "t") == 0
    assert asked == ["a", "b", "c"]


def test_other_options_measure_all_anew(study, tmp_path, asked):
    (study / "landmarks").mkdir()
    (study / "spec.json").write_text(json.dumps(SPEC))
    for case in ("a", "b", "c"):
        add(study, case, {"A": [3, 4, 5], "B": [9, 4, 5]})
    assert build(study, tmp_path / "t") == 0
    (study / "labels.json").write_text('{"1": "spleen", "2": "liver tumor"}')
    asked.clear()
    assert build(study, tmp_path / "t") == 0
    assert asked == ["a", "b", "c"]

"""Landmark files that cannot be used, through the command."""

import json

import nibabel as nib
import numpy as np
import pytest

from medvision.cli import main
from medvision.table.read import read_biometrics

SPEC = {
    "landmarks": {"A": "anterior point", "B": "posterior point", "C": "upper point"},
    "lines": {
        "L-A-B": {"name": "", "landmarks": ["A", "B"]},
        "L-A-C": {"name": "", "landmarks": ["A", "C"]},
    },
    "angles": {"A-1": {"name": "", "lines": ["L-A-B", "L-A-C"]}},
    "measure": [
        {"kind": "distance", "key": "L-A-B", "plane": "sagittal"},
        {"kind": "distance", "key": "L-A-C", "plane": "any"},
        {"kind": "angle", "key": "A-1", "plane": "sagittal"},
    ],
}
GOOD = {"A": [5, 20, 8], "B": [5, 4, 8], "C": [5, 20, 14]}


@pytest.fixture
def study(tmp_path):
    for folder in ("images", "landmarks"):
        (tmp_path / folder).mkdir()
    affine = np.diag([2.0, 1.0, 1.5, 1.0])
    for case in ("a", "b"):
        image = nib.Nifti1Image(np.zeros((12, 30, 20), np.int16), affine)
        nib.save(image, tmp_path / "images" / f"{case}.nii.gz")
        (tmp_path / "landmarks" / f"{case}.json").write_text(json.dumps(GOOD))
    (tmp_path / "biometrics.json").write_text(json.dumps(SPEC))
    return tmp_path


def build(study):
    words = ["build", "--images", study / "images", "--landmarks", study / "landmarks"]
    words += ["--biometrics", study / "biometrics.json", "--name", "s", "--modality", "MRI"]
    words += ["--out", study / "tables"]
    return main([str(word) for word in words])


def test_good_landmarks_give_mm_and_degrees(study):
    assert build(study) == 0
    rows = [r for r in read_biometrics(study / "tables").to_pylist() if r["case_id"] == "a"]
    found = {(r["metric_key"], r["plane"]): r["value"] for r in rows}
    assert found == {
        ("L-A-B", "sagittal"): 16.0,
        ("L-A-C", "sagittal"): 9.0,
        ("L-A-C", "coronal"): 9.0,
        ("A-1", "sagittal"): 90.0,
    }
    (row,) = (r for r in rows if r["metric_key"] == "L-A-B")
    ends = [(p["key"], p["x_px"], p["y_px"]) for p in row["points"]]
    assert ends == [("A", 9.0, 11.0), ("B", 25.0, 11.0)]


@pytest.mark.parametrize(
    ("content", "reason", "n_left"),
    [
        (json.dumps(GOOD | {"B": [5, 40, 8]}), "outside_volume", 2),
        (json.dumps(GOOD | {"B": [9, 4, 8]}), "different_slices", 2),
        (json.dumps({key: GOOD[key] for key in ("A", "C")}), "missing_landmark", 2),
        ("{", "landmarks_unreadable", 0),
        (json.dumps({"A": [1, 2]}), "landmarks_wrong_frame", 0),
        (json.dumps(GOOD | {"A": [1, 2, "x"]}), "landmarks_bad_value", 0),
    ],
)
def test_bad_landmarks_are_named_and_the_rest_goes_on(study, capsys, content, reason, n_left):
    (study / "landmarks" / "b.json").write_text(content)
    assert build(study) == 1
    err = capsys.readouterr().err
    assert f"b: {reason}: " in err
    assert "b.json" in err
    rows = read_biometrics(study / "tables").to_pylist()
    assert sum(row["case_id"] == "a" for row in rows) == 4
    assert sum(row["case_id"] == "b" for row in rows) == n_left
    manifest = json.loads((study / "tables" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["counts"]["dropped"]) == {reason}

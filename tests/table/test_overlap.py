"""Scans used more than once, found in tables built from real files."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from medvision.cli import main
from medvision.errors import UsageError
from medvision.table.overlap import find_overlap
from medvision.table.read import read_cases


def write(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(
        nib.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine), path
    )


def dataset(folder, name, scans, change=lambda array, affine: (array, affine)):
    """A built table folder with one case for each number in `scans`: case name to scan number."""
    labels = np.zeros((6, 7, 5), np.uint8)
    labels[1:4, 2:5, 1:3] = 1
    for case, number in scans.items():
        image = np.random.default_rng(number).integers(0, 500, labels.shape).astype(np.int16)
        for kind, array in (("images", image), ("masks", labels)):
            stored, affine = change(array, np.diag([1.0, 2.0, 3.0, 1.0]))
            write(folder / kind / f"{case}.nii.gz", stored, affine)
    (folder / "labels.json").write_text('{"1": "liver"}')
    words = ["build", "--images", folder / "images", "--masks", folder / "masks", "--name", name]
    words += ["--labels", folder / "labels.json", "--modality", "CT", "--out", folder / "tables"]
    assert main([str(word) for word in words]) == 0
    return folder / "tables"


def flipped(array, affine):
    """Another storage order and number type of the same scan."""
    moved = affine.copy()
    moved[0, 3] = affine[0, 0] * (array.shape[0] - 1)
    moved[0, 0] *= -1
    moved = moved[:, [1, 0, 2, 3]]
    return np.ascontiguousarray(array[::-1].transpose(1, 0, 2)).astype(np.float32), moved


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A: scans 0–5; B: 3–8 stored otherwise; C: 20–22 alone; D: 30 twice and 31."""
    folder = tmp_path_factory.mktemp("overlap")
    return {
        "A": dataset(folder / "A", "first", {f"a{n}": n for n in range(6)}),
        "B": dataset(folder / "B", "second", {f"b{n}": n for n in range(3, 9)}, flipped),
        "C": dataset(folder / "C", "third", {f"c{n}": n for n in range(20, 23)}),
        "D": dataset(folder / "D", "fourth", {"d30": 30, "again": 30, "d31": 31}),
    }


def split_of(folder):
    return {row["case_id"]: row["split"] for row in read_cases(folder).to_pylist()}


def test_shared_scans_are_found_whatever_their_name_order_and_type(tables):
    overlap = find_overlap([tables["A"], tables["B"], tables["C"]])
    pairs = {tuple(use.case_id for use in scan.uses) for scan in overlap.scans}
    assert pairs == {("a3", "b3"), ("a4", "b4"), ("a5", "b5")}
    assert {use.dataset for scan in overlap.scans for use in scan.uses} == {"first", "second"}
    assert all(scan.n_tables == 2 for scan in overlap.scans)


def test_test_cases_that_train_elsewhere_are_exactly_those_of_the_splits(tables):
    overlap = find_overlap([tables["A"], tables["B"]])
    first, second = split_of(tables["A"]), split_of(tables["B"])
    wanted = set()
    for number in (3, 4, 5):
        splits = {f"a{number}": first[f"a{number}"], f"b{number}": second[f"b{number}"]}
        if "train" in splits.values():
            wanted |= {case for case, split in splits.items() if split == "test"}
    leaked = {use.case_id for scan in overlap.scans for use in scan.leaked_uses}
    assert leaked == wanted
    assert overlap.n_leaked == len(wanted)


def test_a_scan_twice_in_one_folder_is_found(tables):
    (scan,) = find_overlap([tables["D"]]).scans
    assert {use.case_id for use in scan.uses} == {"d30", "again"}
    assert scan.n_tables == 1


def overlap(*words):
    return main(["table", "overlap", *map(str, words)])


def test_exit_is_0_without_and_1_with_shared_scans(tables, capsys):
    assert overlap(tables["A"], tables["C"]) == 0
    assert "0 scans shared" in capsys.readouterr().out
    assert overlap(tables["A"], tables["B"]) == 1
    out = capsys.readouterr().out
    assert "3 scans shared between tables, 0 repeated inside one" in out
    assert "  first/a3  " in out
    assert "  second/b3  " in out


def test_json_names_every_use(tables, capsys):
    assert overlap(tables["A"], tables["B"], tables["D"], "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert len(found["scans"]) == 4
    assert found["scans"][-1]["n_tables"] == 1
    use = found["scans"][0]["uses"][0]
    assert use["split"] == split_of(tables["A"])[use["case_id"]]
    assert found["n_leaked"] == sum(
        use["leaked"] for scan in found["scans"] for use in scan["uses"]
    )


def test_the_same_folder_twice_is_refused(tables):
    with pytest.raises(UsageError, match="each once"):
        find_overlap([tables["A"], tables["A"]])


def test_a_folder_without_tables_is_refused(tables, tmp_path):
    shutil.copy(tables["A"] / "cases.parquet", tmp_path)
    with pytest.raises(UsageError, match="run `medvision build` first"):
        find_overlap([tables["A"], tmp_path])

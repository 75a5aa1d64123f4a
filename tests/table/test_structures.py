"""structures.parquet: boxes, counts and volumes of whole structures, built by the command."""

import json

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import ndimage

from medvision.cli import main
from medvision.table.read import read_cases, read_structures, tables_manifest
from medvision.table.schema import STRUCTURE_SCHEMA

BOX = ("i0_vox", "j0_vox", "k0_vox", "i1_vox", "j1_vox", "k1_vox")


def build(study, out, *more):
    words = ["build", "--images", study / "images", "--masks", study / "masks"]
    words += ["--labels", study / "labels.json", "--name", "s", "--modality", "CT"]
    words += ["--target-labels", "2", "--out", out, *more]
    return main([str(word) for word in words])


def rewrite(path, change):
    image = nib.load(path)
    array, affine = change(np.asarray(image.dataobj), image.affine.copy())
    nib.save(nib.Nifti1Image(array, affine), path)


def rows_of(out, case="a"):
    rows = [row for row in read_structures(out).to_pylist() if row["case_id"] == case]
    return {row["label"]: row for row in rows}


def box_of(row):
    return tuple(row[name] for name in BOX)


def naive(inside, voxel_mm3):
    """Box, count and volume of one structure by SciPy and NumPy."""
    (place,) = ndimage.find_objects(inside.astype(int))
    box = (*(axis.start for axis in place), *(axis.stop for axis in place))
    return box, int(inside.sum()), pytest.approx(inside.sum() * voxel_mm3, rel=1e-9)


def measured(row):
    return box_of(row), row["voxel_count"], row["volume_mm3"]


def labels_of(study, case="a"):
    return np.asarray(nib.load(study / "masks" / f"{case}.nii.gz").dataobj)


def test_one_row_per_case_and_label_equal_to_scipy(study, tmp_path, capsys):
    assert build(study, tmp_path / "t") == 0
    table = read_structures(tmp_path / "t")
    assert table.schema == STRUCTURE_SCHEMA
    keys = [(row["case_id"], row["label_id"]) for row in table.to_pylist()]
    assert keys == [(case, label) for case in "abc" for label in (1, 2)]
    assert "6 structures" in capsys.readouterr().out
    assert tables_manifest(tmp_path / "t")["counts"]["structures"] == 6
    labels = labels_of(study)
    found = rows_of(tmp_path / "t")
    for label_id, name in ((1, "liver"), (2, "liver tumor")):
        assert measured(found[name]) == naive(labels == label_id, 1.0 * 2.0 * 3.0)


def test_splits_are_those_of_the_cases_and_the_file_is_plain_parquet(study, tmp_path):
    build(study, tmp_path / "t")
    split_of = {row["case_id"]: row["split"] for row in read_cases(tmp_path / "t").to_pylist()}
    plain = pq.read_table(tmp_path / "t" / "structures.parquet").to_pylist()
    assert {row["case_id"]: row["split"] for row in plain} == split_of
    assert set(split_of.values()) == {"train", "test"}


def oblique(array, affine):
    """Stored L, S, P and turned by 25° about an axis of no name."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    turn = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    angle = np.radians(25)
    rotation = np.eye(3) + np.sin(angle) * turn + (1 - np.cos(angle)) * turn @ turn
    stored = np.ascontiguousarray(array[::-1, ::-1].transpose(0, 2, 1))
    moved = affine.copy()
    moved[:3, 3] += affine[:3, 0] * (array.shape[0] - 1) + affine[:3, 1] * (array.shape[1] - 1)
    moved[:3, :2] *= -1
    moved = moved[:, [0, 2, 1, 3]]
    moved[:3] = rotation @ moved[:3]
    return stored, moved


def test_storage_order_and_obliquity_leave_boxes_counts_and_volumes_alone(study, tmp_path):
    for kind in ("images", "masks"):
        rewrite(study / kind / "b.nii.gz", oblique)
    assert build(study, tmp_path / "t") == 0
    whole, turned = rows_of(tmp_path / "t", "a"), rows_of(tmp_path / "t", "b")
    cases = {row["case_id"]: row for row in read_cases(tmp_path / "t").to_pylist()}
    assert cases["b"]["obliquity_deg"] > 10
    for name, row in whole.items():
        assert box_of(row) == box_of(turned[name])
        assert row["voxel_count"] == turned[name]["voxel_count"]
        assert turned[name]["volume_mm3"] == pytest.approx(row["volume_mm3"], rel=1e-5)


def test_border_means_a_face_of_the_volume(study, tmp_path):
    def moved(array, affine):
        array = array.copy()
        array[0, 0, 6] = 1
        return array, affine

    rewrite(study / "masks" / "b.nii.gz", moved)
    build(study, tmp_path / "t")
    inside, at_face = rows_of(tmp_path / "t", "a"), rows_of(tmp_path / "t", "b")
    assert (inside["liver"]["touches_border"], at_face["liver"]["touches_border"]) == (False, True)
    assert box_of(at_face["liver"])[:3] == (0, 0, 2)
    tumor = inside["liver tumor"]
    assert (tumor["i1_vox"], tumor["touches_border"]) == (20, True)  # the far face of 20 voxels


def test_overlapping_regions_each_have_their_whole(study, tmp_path):
    declared = {"all of it": [1, 2], "tumor": 2}
    (study / "labels.json").write_text(json.dumps(declared))
    assert build(study, tmp_path / "t") == 0
    labels, found = labels_of(study), rows_of(tmp_path / "t")
    assert measured(found["all of it"]) == naive(labels > 0, 6.0)
    assert measured(found["tumor"]) == naive(labels == 2, 6.0)
    assert (found["all of it"]["label_id"], found["tumor"]["label_id"]) == (1, 2)


def test_structure_in_several_pieces_has_one_box_around_all(study, tmp_path):
    def split_up(array, affine):
        array = array.copy()
        array[:, 8] = 0
        return array, affine

    rewrite(study / "masks" / "a.nii.gz", split_up)
    build(study, tmp_path / "t")
    assert measured(rows_of(tmp_path / "t")["liver"]) == naive(labels_of(study) == 1, 6.0)


def one_file_per_structure(study, case):
    """TotalSegmentator's layout for one case, from its label map."""
    path = study / "masks" / f"{case}.nii.gz"
    image = nib.load(path)
    labels = np.asarray(image.dataobj)
    path.unlink()
    (study / "masks" / case).mkdir()
    for name, inside in {
        "liver": labels > 0,
        "liver_tumor": labels == 2,
        "spleen": np.zeros_like(labels),
    }.items():
        stored = nib.Nifti1Image(inside.astype(np.uint8), image.affine)
        nib.save(stored, study / "masks" / case / f"{name}.nii.gz")
    return labels


def test_a_folder_of_one_file_per_structure_may_overlap(study, tmp_path):
    for case in "abc":
        labels = one_file_per_structure(study, case)
    assert build(study, tmp_path / "t") == 0
    found = rows_of(tmp_path / "t", "b")
    assert measured(found["liver"]) == naive(labels > 0, 6.0)
    assert measured(found["liver tumor"]) == naive(labels == 2, 6.0)
    assert sorted(found) == ["liver", "liver tumor"]


def change_structure_file(study):
    path = study / "masks" / "a" / "liver.nii.gz"
    image = nib.load(path)
    array = np.zeros(image.shape, np.uint8)
    array[3:5, 3:5, 3:5] = 1
    nib.save(nib.Nifti1Image(array, image.affine), path)


def test_a_changed_structure_file_is_measured_again(study, tmp_path, capsys):
    for case in "abc":
        one_file_per_structure(study, case)
    build(study, tmp_path / "t")
    change_structure_file(study)
    assert build(study, tmp_path / "t") == 0
    assert "already up to date" not in capsys.readouterr().out
    assert rows_of(tmp_path / "t")["liver"]["voxel_count"] == 8


@pytest.mark.parametrize(
    ("name", "reason"), [("pancreas.nii.gz", "structure_file"), ("liver.nii.gz", "unknown_label")]
)
def test_a_folder_that_holds_something_else_is_named(study, tmp_path, capsys, name, reason):
    labels = labels_of(study, "b")
    (study / "masks" / "b.nii.gz").unlink()
    (study / "masks" / "b").mkdir()
    nib.save(nib.Nifti1Image(labels, np.diag([1, 2, 3, 1])), study / "masks" / "b" / name)
    assert build(study, tmp_path / "t") == 1
    assert f"b: {reason}: " in capsys.readouterr().err
    assert set(read_structures(tmp_path / "t")["case_id"].to_pylist()) == {"a", "c"}


def test_a_picture_has_a_box_and_a_count_but_no_volume(tmp_path):
    from PIL import Image

    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:50] = 1
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        Image.fromarray(mask).save(tmp_path / kind / "a.png")
    (tmp_path / "labels.json").write_text('{"1": "heart"}')
    words = ["build", "--images", tmp_path / "images", "--masks", tmp_path / "masks", "--name", "p"]
    words += ["--labels", tmp_path / "labels.json", "--modality", "US", "--out", tmp_path / "t"]
    words += ["--spacing-mm", "0.5,0.25"]
    assert main([str(word) for word in words]) == 0
    row = rows_of(tmp_path / "t")["heart"]
    assert box_of(row) == (20, 10, 0, 50, 30, 1)
    assert (row["voxel_count"], row["volume_mm3"], row["touches_border"]) == (600, None, False)


def test_tables_of_an_older_format_are_built_anew(study, tmp_path, capsys):
    build(study, tmp_path / "t")
    manifest = json.loads((tmp_path / "t" / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "t" / "structures.parquet").unlink()
    (tmp_path / "t" / "manifest.json").write_text(json.dumps(manifest | {"key": "older"}))
    assert build(study, tmp_path / "t") == 0
    assert "written" in capsys.readouterr().out
    assert read_structures(tmp_path / "t").num_rows == 6

"""`build FOLDER`: the described folder is built, what it leaves open is answered by options."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

from medvision.cli import main
from medvision.table.read import read_cases, read_regions, read_structures
from tests.describe import trees

pytest.importorskip("highdicom", reason="extra dicom is not installed")


def build(folder, *more):
    return main(["build", str(folder), "--out", str(folder.parent / "t"), *map(str, more)])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def labels_file(folder, **names):
    path = folder.parent / "labels.json"
    path.write_text(json.dumps({key.removeprefix("v"): name for key, name in names.items()}))
    return path


def test_a_folder_that_leaves_nothing_open_is_built_and_told(folder, capsys):
    trees.totalsegmentator_training(folder)
    assert build(folder) == 0
    told = capsys.readouterr().err
    assert f"{folder}: TotalSegmentator, training set (certain: " in told
    assert f"medvision describe {folder} --out my.toml" in told
    cases = read_cases(folder.parent / "t").to_pylist()
    assert {row["dataset"] for row in cases} == {"data"}
    assert {row["case_id"]: row["split"] for row in cases} == {
        "s0000": "train",
        "s0001": "test",
        "s0002": "train",
        "s0003": "train",
    }
    assert {row["subject_gender"] for row in cases} == {"f"}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ("busi", r"the modality of 'image' \(--modality CT\|.*labels 255 \(--labels FILE with"),
        ("case_folders", r"does not say the names of labels 1, 2 \(--labels FILE with"),
        ("labelme", r"the modality of 'image'.*what to measure .* \(--biometrics FILE\)"),
    ],
)
def test_what_is_left_open_is_refused_in_one_line(folder, capsys, tree, told):
    getattr(trees, tree)(folder)
    assert build(folder) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.count("medvision describe") == 1
    assert re.search(told, line)
    assert not (folder.parent / "t").exists()


def test_options_answer(folder):
    trees.case_folders(folder)
    labels = labels_file(folder, v1="necrosis", v2="edema")
    assert build(folder, "--labels", labels, "--target-labels", "necrosis", "--name", "b") == 0
    rows = read_structures(folder.parent / "t").to_pylist()
    assert {row["label"]: row["voxel_count"] for row in rows} == {
        "necrosis": int((trees.LABELS == 1).sum()),
        "edema": int((trees.LABELS == 2).sum()),
    }
    regions = read_regions(folder.parent / "t").to_pylist()
    sized = {row["label"] for row in regions if row["ellipse_status"] != "not_target"}
    assert sized == {"necrosis"}


@pytest.mark.parametrize(
    ("tree", "more", "told"),
    [
        ("nnunet_v1", ("--modality", "MRI"), "--modality: nnU-Net raw, version 1 says it itself"),
        ("bids", ("--subject-pattern", "^(.)"), "--subject-pattern: BIDS"),
        ("bids", ("--masks", "x"), "--masks: with --images, not with the folder"),
        ("tcia", ("--target-labels", "bone"), "--target-labels: no label 'bone'"),
    ],
)
def test_options_that_do_not_apply_are_refused(folder, capsys, tree, more, told):
    getattr(trees, tree)(folder)
    assert build(folder, *more) == 2
    assert told in capsys.readouterr().err


def test_a_subject_pattern_keeps_sessions_on_one_side(folder):
    for subject in range(4):
        for session in (1, 2):
            trees.save(folder / "images" / f"p{subject}-{session}.nii.gz", trees.volume(subject))
            trees.save(folder / "masks" / f"p{subject}-{session}.nii.gz", trees.LABELS)
    labels = labels_file(folder, v1="liver", v2="tumor")
    more = ("--labels", labels, "--subject-pattern", "^(p[0-9]+)-")
    assert build(folder, *more) == 0
    cases = read_cases(folder.parent / "t").to_pylist()
    assert {row["case_id"]: row["subject_id"] for row in cases} == {
        f"p{n}-{k}": f"p{n}" for n in range(4) for k in (1, 2)
    }
    sides = {(row["subject_id"], row["split"]) for row in cases}
    assert len(sides) == 4


def test_listed_cases_that_lack_a_file_are_told_as_problems(folder, capsys):
    trees.flat(folder)
    assert build(folder, "--labels", labels_file(folder, v1="liver", v2="liver tumor")) == 1
    shown = capsys.readouterr()
    assert "3 of 4 cases" in shown.out
    assert "lonely: unpaired: case lonely: no mask in" in shown.err


def test_normal_pictures_with_empty_masks_are_cases_without_questions(folder, capsys):
    trees.busi(folder)
    (folder / "malignant" / "malignant (2).png").unlink()
    trees.picture(folder / "normal" / "normal (1).png")
    trees.picture(folder / "normal" / "normal (1)_mask.png", np.zeros((30, 47), np.uint8))
    labels = labels_file(folder, v255="lesion")
    more = ("--labels", labels, "--modality", "US", "--spacing-mm", "0.1,0.1")
    assert build(folder, *more) == 0
    shown = capsys.readouterr()
    assert "4 of 4 cases" in shown.out
    assert "cases with empty masks, of which nothing is asked: normal (1)" in shown.err
    tables = folder.parent / "t"
    assert "normal (1)" not in read_regions(tables)["case_id"].to_pylist()
    assert read_cases(tables).num_rows == 4


def test_tables_in_the_folder_are_no_part_of_it(folder):
    trees.nnunet_paths(folder)
    for _ in range(2):
        assert main(["build", str(folder), "--out", str(folder / "tables")]) == 0
    assert read_cases(folder / "tables").num_rows == 2


def test_several_datasets_are_built_one_after_the_other(folder, tmp_path, capsys):
    trees.nnunet_paths(folder)
    (tmp_path / "other").mkdir()
    trees.bids(tmp_path / "other")
    (tmp_path / "other" / "sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz").unlink()
    words = ["build", str(folder), str(tmp_path / "other"), "--root", str(tmp_path / "root")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    for name in ("data", "other"):
        assert f"{tmp_path / 'root' / 'tables' / name}: written" in shown
    assert main([*words, "--out", str(tmp_path / "t")]) == 2
    assert "--out: for one dataset alone" in capsys.readouterr().err
    assert main(["build", str(folder), "nothing", "--root", str(tmp_path / "new")]) == 2
    assert "no dataset 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "tree"),
    [
        ("--bids", "bids"),
        ("--totalsegmentator", "totalsegmentator_training"),
        ("--totalsegmentator", "totalsegmentator_output"),
    ],
)
def test_a_layout_that_is_insisted_on_is_built_as_the_folder_is(folder, option, tree):
    getattr(trees, tree)(folder)
    status = build(folder, "--name", "x")
    out = folder.parent / "insisted"
    assert main(["build", option, str(folder), "--name", "x", "--out", str(out)]) == status
    assert read_cases(out).equals(read_cases(folder.parent / "t"))
    assert read_regions(out).equals(read_regions(folder.parent / "t"))


@pytest.mark.parametrize(
    ("option", "tree", "told"),
    [
        ("--bids", "nnunet_v2", "expected BIDS derivatives, found nnU-Net raw, version 2 ("),
        ("--bids", "flat", "expected BIDS derivatives, found folders of images and masks ("),
        ("--totalsegmentator", "bids", "expected TotalSegmentator, found BIDS derivatives ("),
        ("--totalsegmentator", "labelme", "expected TotalSegmentator, found LabelMe"),
    ],
)
def test_another_layout_than_is_insisted_on_is_told(folder, capsys, option, tree, told):
    getattr(trees, tree)(folder)
    assert main(["build", option, str(folder), "--out", str(folder.parent / "t")]) == 2
    assert f"{folder}: {told}" in capsys.readouterr().err
    assert not (folder.parent / "t").exists()


def test_one_source_at_a_time(folder, capsys):
    trees.bids(folder)
    words = ["build", "--bids", str(folder), "--totalsegmentator", str(folder.parent)]
    assert main([*words, "--out", "t"]) == 2
    assert "expected one source of files" in capsys.readouterr().err
    assert main(["build", "--bids", str(folder), "--nnunet", str(folder), "--out", "t"]) == 2
    assert "expected one source of files" in capsys.readouterr().err


@pytest.mark.parametrize("n", [1, 2])
def test_few_structures_are_an_output_of_the_tool(folder, n):
    for case in ("p1", "p2"):
        trees.save(folder / case / "ct.nii.gz", trees.volume())
        for value, name in list(enumerate(("liver", "kidney_left"), start=1))[:n]:
            mask = (value == trees.LABELS).astype(np.uint8)
            trees.save(folder / case / "segmentations" / f"{name}.nii.gz", mask)
    words = ["build", "--totalsegmentator", str(folder), "--out", str(folder.parent / "t")]
    assert main(words) == 0
    rows = read_structures(folder.parent / "t").to_pylist()
    assert {row["label"] for row in rows} == set(["liver", "left kidney"][:n])
    assert {row["voxel_count"] for row in rows if row["label"] == "liver"} == {
        int((trees.LABELS == 1).sum())
    }


def test_one_file_with_the_names_of_its_values_is_an_output_of_the_tool(folder):
    table = "".join(
        f'<Label Key="{n}" Red="1"><![CDATA[{name}]]></Label>'
        for n, name in ((1, "liver"), (2, "kidney_left"), (3, "spleen"))
    )
    text = f"<?xml version='1.0'?><CaretExtension><LabelTable>{table}</LabelTable></CaretExtension>"
    for case in ("p1", "p2"):
        trees.save(folder / case / "ct.nii.gz", trees.volume())
        image = nib.Nifti1Image(trees.LABELS, trees.FLIPPED)
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, text.encode()))
        nib.save(image, folder / case / "segmentations.nii")
    assert build(folder) == 0
    rows = read_structures(folder.parent / "t").to_pylist()
    counts = {row["label"]: row["voxel_count"] for row in rows}
    assert sorted(counts.values()) == sorted(int((n == trees.LABELS).sum()) for n in (1, 2))
    assert set(counts) == {"liver", "left kidney"}

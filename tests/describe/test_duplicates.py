"""Two files for one place of a case are told, by name, whichever way the folder is built."""

import json

import pytest

from medvision.cli import main
from medvision.table.read import read_cases, tables_manifest
from tests.describe import trees

TWINS = [
    ("nnunet_v2", "imagesTr/brain_001_0001.nii.gz"),
    ("nnunet_v2", "labelsTr/brain_002.nii.gz"),
    ("nnunet_v1", "imagesTr/liver_0_0000.nii.gz"),
    ("bids", "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"),
    (
        "bids",
        "derivatives/manual/sub-02/ses-1/anat/sub-02_ses-1_space-orig_desc-manual_dseg.nii.gz",
    ),
    ("case_folders", "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t1c.nii.gz"),
    ("flat", "images/a.nii.gz"),
    ("flat", "masks/b_seg.nii.gz"),
    ("totalsegmentator_output", "scans/p1.nii.gz"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "labels.json").write_text(json.dumps({"1": "one", "2": "two"}))
    return tmp_path / "data"


def twin(folder, file):
    """The same image beside a file, without compression."""
    array = trees.volume(3) if "mages" in file or "T1w" in file else trees.LABELS
    trees.save(folder / file.removesuffix(".gz"), array)


def build(*words):
    return main(["build", *map(str, words)])


@pytest.mark.parametrize(("tree", "file"), TWINS)
def test_a_described_folder_tells_both_files_and_builds_the_other_cases(folder, capsys, tree, file):
    getattr(trees, tree)(folder)
    twin(folder, file)
    labels = tree in ("case_folders", "flat")
    words = [folder, "--out", folder.parent / "t"]
    words += ["--labels", folder.parent / "labels.json"] if labels else []
    assert build(*words) == 1
    told = capsys.readouterr().err
    name = file.rpartition("/")[2].removesuffix(".nii.gz")
    assert f"{name}.nii and {name}.nii.gz" in told
    assert read_cases(folder.parent / "t").num_rows >= 1
    dropped = tables_manifest(folder.parent / "t")["counts"]["dropped"]
    assert dropped.get("ambiguous", 0) + dropped.get("unpaired", 0) >= 1


@pytest.mark.parametrize("file", [file for tree, file in TWINS if tree == "nnunet_v2"])
def test_nnunet_and_folders_of_images_and_masks_tell_the_same(folder, capsys, file):
    trees.nnunet_v2(folder)
    twin(folder, file)
    name = file.rpartition("/")[2].removesuffix(".nii.gz")
    assert build("--nnunet", folder, "--out", folder.parent / "t") == 1
    assert f"ambiguous: case {name[:9]}: {name}.nii and {name}.nii.gz" in capsys.readouterr().err
    assert read_cases(folder.parent / "t").num_rows == 2
    words = ["--images", folder / "imagesTr", "--masks", folder / "labelsTr", "--modality", "MRI"]
    (folder.parent / "three.json").write_text(json.dumps({"1": "a", "2": "b"}))
    words += ["--labels", folder.parent / "three.json", "--name", "x", "--out", folder.parent / "u"]
    assert build(*words) == 1
    assert f"ambiguous: case {name[:9]}: {name}.nii and {name}.nii.gz" in capsys.readouterr().err


def test_a_folder_of_one_case_with_two_images_is_refused(folder, capsys):
    trees.save(folder / "images" / "a.nii.gz", trees.volume())
    trees.save(folder / "images" / "a.nii", trees.volume())
    trees.save(folder / "masks" / "a.nii.gz", trees.LABELS)
    assert build(folder, "--out", folder.parent / "t") == 2
    assert "a.nii and a.nii.gz" in capsys.readouterr().err


@pytest.mark.parametrize("option", [(), ("--nnunet",)])
def test_two_channels_of_one_name_are_two_images(folder, option):
    trees.nnunet_v2(folder)
    content = json.loads((folder / "dataset.json").read_text())
    content["channel_names"] = {"0": "T1", "1": "T1"}
    (folder / "dataset.json").write_text(json.dumps(content))
    assert build(*option, folder, "--out", folder.parent / "t") == 0
    for row in read_cases(folder.parent / "t").to_pylist():
        assert [image["image_id"] for image in row["images"]] == ["T1 0000", "T1 0001"]
        assert len({image["sha256"] for image in row["images"]}) == 2


def test_files_that_no_case_is_made_of_are_told_of_folders_and_of_nnunet(folder, capsys):
    trees.nnunet_v2(folder)
    (folder / "imagesTr" / "readme.txt").write_text("x")
    trees.save(folder / "labelsTr" / "old" / "brain_001.nii.gz", trees.LABELS)
    assert build("--nnunet", folder, "--out", folder.parent / "t") == 1  # old/ pairs with nothing
    told = capsys.readouterr().err
    assert f"note: files below {folder / 'imagesTr'} that nothing is for: readme.txt" in told
    words = ["--images", folder / "imagesTr", "--masks", folder / "labelsTr", "--modality", "MRI"]
    words += [
        "--labels",
        folder.parent / "labels.json",
        "--name",
        "x",
        "--out",
        folder.parent / "u",
    ]
    (folder / "labelsTr" / "brain_001.nii.gz.part").write_bytes(b"x")
    assert build(*words) == 1
    told = capsys.readouterr().err
    assert f"files below {folder / 'imagesTr'} that nothing is for: readme.txt" in told
    assert f"files below {folder / 'labelsTr'} that nothing is for: brain_001.nii.gz.part" in told


def test_files_beside_those_that_nnunet_lists_are_told(folder, capsys):
    trees.nnunet_paths(folder)
    trees.save(folder / "scans" / "3" / "ct.nii.gz", trees.volume(3))
    assert build("--nnunet", folder, "--out", folder.parent / "t") == 0
    words = f"note: files below {folder} that nothing is for: scans/3/ct.nii.gz\n"
    assert words in capsys.readouterr().err

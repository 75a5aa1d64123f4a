import json

import pytest

from medvision.errors import UsageError
from medvision.table.cases import (
    Folders,
    find_cases,
    find_nnunet_cases,
    read_labels,
    structures_from_labels,
    target_ids,
)


def folder(parent, name, *files):
    made = parent / name
    made.mkdir(parents=True)
    for file in files:
        (made / file).touch()
    return made


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.nii.gz", "a.nii.gz"),
        ("a_0000.nii.gz", "a.nii.gz"),
        ("a.nii.gz", "a-seg.nii.gz"),
        ("a.nii.gz", "a_gtv.nii.gz"),
        ("a_image.nrrd", "a_label.nrrd"),
        ("a.png", "a_mask.png"),
    ],
)
def test_common_names_pair(tmp_path, image, mask):
    folders = Folders(images=folder(tmp_path, "i", image), masks=folder(tmp_path, "m", mask))
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == ["a"]
    assert cases[0].images[0].image_id == "image"
    assert not unpaired


def test_missing_partner_is_listed_and_keeps_its_subject(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a.nii.gz", "b.nii.gz"),
        masks=folder(tmp_path, "m", "b.nii.gz", "c.nii.gz"),
    )
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == ["b"]
    assert {entry.subject_id for entry in unpaired} == {"a", "c"}
    assert "no mask" in unpaired[0].message
    assert "no image" in unpaired[1].message


def test_channels_are_images_of_one_case(tmp_path):
    files = ("p_0000.nii.gz", "p_0001.nii.gz")
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", "p.nii.gz"))
    cases, _ = find_cases(folders, modality="MRI")
    assert [image.image_id for image in cases[0].images] == ["0000", "0001"]


def test_subject_pattern_groups_cases(tmp_path):
    files = ("s1-t1.nii", "s1-t2.nii", "s2-t1.nii")
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", *files))
    cases, _ = find_cases(folders, modality="MRI", subject_pattern=r"^(s\d+)-")
    assert [case.subject_id for case in cases] == ["s1", "s1", "s2"]


def test_two_masks_of_one_case_are_refused(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a.nii"), masks=folder(tmp_path, "m", "a.nii", "a-seg.nii")
    )
    with pytest.raises(UsageError, match="both name case 'a'"):
        find_cases(folders, modality="CT")


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match="--images: expected a folder"):
        find_cases(Folders(images=tmp_path / "none"), modality="CT")


def test_labels_by_id_or_by_name():
    by_id = structures_from_labels({"1": "liver", "2": "spleen"}, "f")
    by_name = structures_from_labels({"background": 0, "liver": 1, "spleen": 2}, "f")
    assert by_id == by_name
    assert [(s.label_id, s.name, s.values) for s in by_id] == [
        (1, "liver", (1,)),
        (2, "spleen", (2,)),
    ]


def test_nnunet_regions_get_ids_in_declared_order():
    found = structures_from_labels({"background": 0, "whole": [1, 2, 3], "core": [2, 3]}, "f")
    assert [(s.label_id, s.name, s.values) for s in found] == [
        (1, "whole", (1, 2, 3)),
        (2, "core", (2, 3)),
    ]


@pytest.mark.parametrize("labels", [{"liver": "1"}, {"1": "a", "2": "a"}, {"a": 1, "b": 1}])
def test_bad_labels_are_refused(labels):
    with pytest.raises(UsageError, match="f: expected"):
        structures_from_labels(labels, "f")


def test_label_file_must_be_a_json_object(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text("[1, 2]")
    with pytest.raises(UsageError, match="expected a JSON object"):
        read_labels(path)


def test_target_labels_by_id_or_name():
    structures = structures_from_labels({"1": "liver", "6": "liver tumor"}, "f")
    assert target_ids("6", structures) == (6,)
    assert target_ids("liver tumor, 1", structures) == (6, 1)
    with pytest.raises(UsageError, match="no label 'x'"):
        target_ids("x", structures)


def test_nnunet_folder_is_understood(tmp_path):
    declared = {"channel_names": {"0": "T1", "1": "CT"}, "labels": {"background": 0, "tumor": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    folder(tmp_path, "imagesTr", "x_0000.nii.gz", "x_0001.nii.gz")
    folder(tmp_path, "labelsTr", "x.nii.gz")
    cases, unpaired = find_nnunet_cases(tmp_path, target_labels="tumor")
    assert [(i.image_id, i.modality) for i in cases[0].images] == [("T1", "MRI"), ("CT", "CT")]
    assert cases[0].target_labels == (1,)
    assert not unpaired
